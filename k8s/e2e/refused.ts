import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Kubectl } from "../cluster/kubectl.ts";
import { type CallerOptions, callOnce, type Protocol, protocols } from "./caller.ts";
import { readCallLines } from "./client.ts";
import { report } from "./report.ts";
import type { Shown } from "./shown.ts";
import { until } from "./until.ts";

/** The reason in the first line of a client, for each protocol. */
export type Reasons = Readonly<Record<Protocol, RegExp>>;

/** A call that must fail: what is wrong with it, how it is made, and the reason. */
export type RefusedCase = readonly [what: string, options: CallerOptions, reasons: Reasons];

/** The same reason over both protocols. */
export const both = (reason: RegExp): Reasons => ({ grpc: reason, http: reason });

/** How a token that is not accepted is refused. */
export const unauthenticated = (reason: string): Reasons => ({
  grpc: new RegExp(`: UNAUTHENTICATED: ${reason}`),
  http: new RegExp(`: 401 Unauthorized: ${reason}`),
});

/** How a token whose subject may not call is refused. */
export const denied = (reason: string): Reasons => ({
  grpc: new RegExp(`: PERMISSION_DENIED: ${reason}`),
  http: new RegExp(`: 403 Forbidden: ${reason}`),
});

/** Waits until a server has logged that it has refused a handshake for this reason, and returns the line. A client of Node does not get the reason. */
export function refusalInLog(kubectl: Kubectl, reason: string): Promise<string> {
  return until(`a server's line with "${reason}"`, 30_000, async () => {
    const log = await kubectl.run(["logs", "-l", "app=server", "--tail=-1", "--prefix"]);
    const lines = log.split("\n").filter((line) => line.includes("TLS handshake refused"));
    const found = lines.find((line) => line.includes(`"reason":${JSON.stringify(reason)}`));
    return found === undefined ? { seen: lines.at(-1) ?? "none" } : { value: found };
  });
}

/** Makes a call over each protocol, which must fail with the reason; the lines of the clients are shown. */
export async function requireRefused(
  t: TestContext,
  kubectl: Kubectl,
  shown: Shown,
  [what, options, reasons]: RefusedCase,
  targets: Partial<Readonly<Record<Protocol, string>>> = {},
): Promise<void> {
  if (options.token) shown.secrets.add(`token: ${what}`, options.token);
  for (const protocol of protocols) {
    const target = targets[protocol];
    const lines = await callOnce(kubectl, protocol, { ...options, ...(target !== undefined && { target }) });
    shown.add(`error: ${what}`, lines.join("\n"));
    report(t, `${what}: ${lines.join("; ")}`);
    assert.deepEqual(readCallLines(lines.join("\n")).calls, [], "a call passed");
    assert.match(lines[0] ?? "", reasons[protocol], what);
  }
}
