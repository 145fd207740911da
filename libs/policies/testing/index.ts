/**
 * What the tests of policies use, here and above.
 *
 * Without a network: a `FakeChannel` runs one policy over connections that the test controls, a `Probe` shows a policy's inputs and
 * picks, and `storm` applies random events. With a network: a `Rig` has real servers with faults, a target that resolves to what the
 * test publishes, and clients; it proves after the test that nothing is left open.
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
export { type PublishOptions, type ServiceConfig, TestTarget } from "./test-resolver.ts";
