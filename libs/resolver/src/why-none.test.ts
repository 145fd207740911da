import assert from "node:assert/strict";
import { test } from "node:test";
import { DiscoveryError, type DiscoveryErrorCode } from "@grpc-lb/discovery";
import { whyNone } from "./why-none.ts";

const none = "service default/server has no ready endpoints";

test("row 11: an error that is the reason is said alone, one that comes with it beside the reason", () => {
  const table: [isKnown: boolean, code: DiscoveryErrorCode | undefined, want: string][] = [
    [true, undefined, none],
    [true, "unavailable", `${none}; words`],
    [true, "permissionDenied", `${none}; words`],
    [true, "notFound", "words"],
    [true, "portNotFound", "words"],
    [false, "unavailable", "words"],
    [false, "permissionDenied", "words"],
    [false, "notFound", "words"],
  ];
  for (const [isKnown, code, want] of table) {
    const got = whyNone({
      subject: "service default/server",
      endpoints: isKnown ? [] : undefined,
      lastSyncMs: undefined,
      serviceConfig: undefined,
      error: code && new DiscoveryError(code, "words"),
    });
    assert.equal(got, want, `${code} with ${isKnown ? "an empty set" : "nothing known"}`);
  }
});
