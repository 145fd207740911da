import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { closedPort } from "@grpc-lb/core/testing";
import type { Resource } from "../src/cache/index.ts";
import { Calls, type ForeignClientKind, type Pod, startPod, untilCalled } from "../testing/foreign/index.ts";
import { sampleCluster, sampleEndpoints, sampleListener, sampleRoute } from "../testing/sample-resources.ts";
import { ControlPlane } from "./control-plane.ts";

const podNames = ["a1", "a2", "a3", "b1"] as const;
type PodName = (typeof podNames)[number];

/** A control plane, servers, and a client that nobody here wrote, which calls them until the end. */
export interface World extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly calls: Calls;
  readonly listener: Resource;
  portsOf(...names: PodName[]): number[];
  /** Routes by weight to cluster a, with some of its pods, and to cluster b. */
  resources(weights: Readonly<Record<string, number>>, ...a: PodName[]): Resource[];
}

/** Starts one, with routes to a1 and a2; it has called. */
export async function startWorld(kind: ForeignClientKind): Promise<World> {
  await using ending = new AsyncDisposableStack();
  const pods = new Map<PodName, Pod>();
  for (const name of podNames) {
    const pod = await startPod(name);
    pods.set(name, pod);
    ending.defer(() => pod.close());
  }
  const listenerPort = await closedPort();
  const listener = sampleListener("l", kind.isProxy ? { port: listenerPort } : {});
  const portsOf = (...names: PodName[]) => names.map((name) => pods.get(name)?.port ?? 0);
  const resources: World["resources"] = (weights, ...a) => [
    listener,
    sampleRoute("l-route", weights),
    ...("a" in weights ? [sampleCluster("a"), sampleEndpoints("a", portsOf(...a))] : []),
    ...("b" in weights ? [sampleCluster("b"), sampleEndpoints("b", portsOf("b1"))] : []),
  ];
  const controlPlane = new ControlPlane();
  await controlPlane.start(resources({ a: 1 }, "a1", "a2"));
  ending.defer(() => controlPlane.stop());
  const client = await kind.start({ service: "l", controlPlanePort: controlPlane.port, listenerPort });
  ending.defer(() => client.close());
  await untilCalled(client);
  const calls = new Calls(client, { ownFault: kind.ownFault });
  ending.defer(() => calls.stop());
  const all = ending.move();
  return { controlPlane, calls, listener, portsOf, resources, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Resolves when a condition holds. @throws AssertionError when it does not within 20 s */
export async function untilTrue(condition: () => boolean, what: string): Promise<void> {
  for (const endMs = performance.now() + 20_000; !condition(); await delay(20)) {
    assert.ok(performance.now() < endMs, what);
  }
}

/** Resolves when the client has accepted the latest of all that it wants. */
export async function untilAccepted({ clients }: ControlPlane): Promise<void> {
  const states = () => clients()[0]?.resources.map(({ typeUrl, name, state }) => `${typeUrl} ${name} ${state}`) ?? [];
  const isAccepted = () => states().length > 0 && states().every((one) => one.endsWith(" acked"));
  await untilTrue(isAccepted, "the client has accepted all resources");
}
