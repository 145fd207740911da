import assert from "node:assert/strict";
import { test } from "node:test";
import { DiscoveryError, type DiscoveryErrorCode } from "@grpc-lb/discovery";
import { describeNoEndpoints } from "./describe-no-endpoints.ts";

const none = "service default/server has no ready endpoints";

test("an error that explains why there are no endpoints is the whole message, another one follows it", () => {
  const table: [isKnown: boolean, code: DiscoveryErrorCode | undefined, want: string][] = [
    [true, undefined, none],
    [true, "unavailable", `${none}; why`],
    [true, "permissionDenied", `${none}; why`],
    [true, "notFound", "why"],
    [true, "portNotFound", "why"],
    [false, "unavailable", "why"],
    [false, "permissionDenied", "why"],
    [false, "notFound", "why"],
  ];
  for (const [isKnown, code, want] of table) {
    const got = describeNoEndpoints({
      subject: "service default/server",
      endpoints: isKnown ? [] : undefined,
      lastSyncMs: undefined,
      serviceConfig: undefined,
      error: code && new DiscoveryError(code, "why"),
    });
    assert.equal(got, want, `${code} with ${isKnown ? "an empty set" : "nothing known"}`);
  }
});
