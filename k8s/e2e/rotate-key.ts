import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Kubectl } from "../cluster/kubectl.ts";
import { callOnce, type Protocol, protocols, type RunningCaller, startCaller } from "./caller.ts";
import { type Issuer, SigningKey } from "./issuer.ts";
import { requireRefused, unauthenticated } from "./refused.ts";
import { report } from "./report.ts";
import type { Shown } from "./shown.ts";
import { until } from "./until.ts";

/** Keys of an issuer and what they sign, and the servers that accept it. */
export interface Rotation {
  readonly issuer: Issuer;
  /** The key before and the key after. */
  readonly keys: readonly [SigningKey, SigningKey];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly targets: Readonly<Record<Protocol, string>>;
  /** The selector of the servers' pods. */
  readonly selector: string;
  readonly stopAtEnd: (part: RunningCaller) => RunningCaller;
}

/**
 * Rotates the key of an issuer under load: publishes the new one beside the old one, gives the clients a token of the new one, withdraws the old
 * one. No call with a current token fails, and in the end none with a token of the old key passes.
 */
export async function rotateKey(t: TestContext, kubectl: Kubectl, shown: Shown, rotation: Rotation): Promise<void> {
  const { issuer, keys, claims, targets, selector, stopAtEnd } = rotation;
  const [old, current] = keys.map((key) => key.sign(claims)) as [string, string];
  const unknown = new SigningKey("unknown").sign(claims);
  for (const [name, token] of Object.entries({ old, current, unknown })) shown.secrets.add(`token, ${name} key`, token);
  const callers: RunningCaller[] = [];
  for (const protocol of protocols)
    callers.push(stopAtEnd(await startCaller(kubectl, protocol, { target: targets[protocol], token: old })));
  const moreCalls = (count: number) => Promise.all(callers.map((caller) => caller.nextCalls(count)));
  // Servers that have just looked for an unknown key leave the issuer alone for 5 s: 20 calls, each followed by a pause of 300 ms, take longer.
  await moreCalls(20);
  await issuer.publish(keys);
  await Promise.all(callers.map((caller) => caller.setToken(current)));
  // A client reads its token every 10 s.
  await moreCalls(40);
  const pods: readonly { readonly status: { readonly podIP: string } }[] = (await kubectl.get(["pods", "-l", selector]))
    .items;
  const addresses = pods.map(({ status }) => status.podIP).sort();
  assert.deepEqual([...new Set(await issuer.readers())].sort(), addresses, "every server has read the new key");
  await issuer.publish(keys.slice(1));
  // Servers read the keys again after ten minutes, or at once for a token of a key that they do not know.
  for (const address of addresses) {
    const target = `${address}:30051`;
    await until(`${address} to refuse the old key`, 120_000, async () => {
      const [refused = ""] = await callOnce(kubectl, "grpc", { target, token: unknown });
      assert.match(refused, /: UNAUTHENTICATED: /);
      const [line = ""] = await callOnce(kubectl, "grpc", { target, token: old });
      return line.startsWith("Error: ") ? { value: line } : { seen: line };
    });
  }
  const withdrawn = unauthenticated("the token is signed with a key that the issuer does not have");
  await requireRefused(t, kubectl, shown, ["the old key", { token: old }, withdrawn], targets);
  await moreCalls(10);
  for (const [index, caller] of callers.entries()) {
    const { calls, errors, others } = caller.log();
    await caller.stop();
    assert.deepEqual([errors, others], [[], []], protocols[index]);
    report(t, `${protocols[index]}: ${calls.length} calls with a current token, 0 errors`);
  }
}
