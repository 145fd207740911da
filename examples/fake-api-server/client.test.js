import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FakeApiServer, slice } from "@grpc-lb/discovery/testing";
import { registerResolvers } from "@grpc-lb/resolver";
import { connect } from "./client.js";
import { startServer } from "./greeter.js";

const api = await FakeApiServer.start();
registerResolvers({ kubernetes: { access: api.access } });

const pods = await Promise.all(["pod-1", "pod-2", "pod-3"].map(startServer));
let client;

before(() => {
  putPod(pods[0]);
  putPod(pods[1]);
  putPod(pods[2], { ready: false });
  client = connect("kubernetes:///greeter.default:grpc");
});

after(async () => {
  client.close();
  for (const pod of pods) pod.close();
  await api.close();
});

test("calls go to the pods that are ready", async () => {
  await untilCallsReach("pod-1", "pod-2");
});

test("a pod that becomes ready gets calls", async () => {
  putPod(pods[2], { ready: true });
  await untilCallsReach("pod-1", "pod-2", "pod-3");
});

test("a pod that terminates gets no more calls", async () => {
  putPod(pods[0], { ready: false, serving: true, terminating: true });
  await untilCallsReach("pod-2", "pod-3");
});

test("calls continue while the API server is down", async () => {
  await api.stop();
  await untilCallsReach("pod-2", "pod-3");
  await api.start();
});

test("a Service that does not exist fails the call at once, with the reason", async () => {
  const lost = connect("kubernetes:///nobody.default:grpc");
  await assert.rejects(lost.greet(), /there is no such Service/);
  lost.close();
});

/** All pods are on this machine and differ in their port, so each has an EndpointSlice of its own. */
function putPod({ name, address }, conditions = { ready: true }) {
  const [host, port] = address.split(":");
  const ports = [{ name: "grpc", port: Number(port) }];
  api.putSlice(slice({ service: "greeter", name, addresses: [{ address: host, pod: name, conditions }], ports }));
}

/** Makes calls until the last ten went to these pods and no other. */
async function untilCallsReach(...names) {
  for (;;) {
    const reached = new Set();
    for (let n = 0; n < 10; n++) reached.add(await client.greet());
    if (reached.symmetricDifference(new Set(names)).size === 0) return;
  }
}
