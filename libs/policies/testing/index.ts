/**
 * What the tests of policies use, here and above.
 *
 * Without a network: a `FakeChannel` runs one policy over connections that do what the test says, a `Probe` shows what goes on
 * inside, and `storm` lets anything happen in any order. With one: a `Rig` has real servers that misbehave as they are told, a
 * target that resolves to what the test says, and clients; after the test nothing is left of them.
 *
 * ```ts
 * const channel = new FakeChannel({ least_request: {} });
 * channel.update([endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80")]);
 * channel.connect();
 * channel.pick(new Metadata())?.address;
 *
 * const rig = new Rig(t);
 * const [a, b] = await rig.start("a", "b");
 * rig.publish([a, b]);
 * a.freeze();
 * await call(rig.client({ least_request: {} }));
 * ```
 */

export { Backend, watchMethod } from "./backend.ts";
export { endpoint, type FakeCall, FakeChannel, type FakeSubchannel } from "./fake-channel.ts";
export type { LoadReports } from "./load-reports.ts";
export { Probe } from "./probe.ts";
export { call, failure, type PodClient, Rig, turn, until, untilAllAnswer } from "./rig.ts";
export { type StormOptions, storm } from "./storm.ts";
export { type Beside, type ServiceConfig, TestTarget } from "./test-resolver.ts";
