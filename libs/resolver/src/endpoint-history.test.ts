import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientUnaryCall } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import type { Endpoint } from "@grpc-lb/discovery";
import { endpointAt } from "../testing/fake-source.ts";
import { type PodClient, Rig, untilSpread } from "../testing/rig.ts";
import { EndpointHistory } from "./endpoint-history.ts";

/** Makes a call. @returns the call, and the name of the pod that answered */
async function callPod(client: PodClient): Promise<[ClientUnaryCall, string | undefined]> {
  let call: ClientUnaryCall | undefined;
  const name = await new Promise<string | undefined>((resolve, reject) => {
    call = client.getPod({}, (error, response) => (error ? reject(error) : resolve(response.pod?.name)));
  });
  return [call as ClientUnaryCall, name];
}

test("the peer of a call is found as the endpoint that took it, with its pod's name and zone", async (t) => {
  const rig = new Rig(t);
  const pods = await rig.start("a", "b");
  const endpoints = pods.map(({ name, port }) => ({
    ...endpointAt(port),
    zone: `zone-${name}`,
    metadata: { podName: name },
  }));
  rig.source().setEndpoints(endpoints);
  const client = rig.client();
  await untilSpread(client, ...pods);
  for (let n = 0; n < 4; n++) {
    const [call, name] = await callPod(client);
    const endpoint = rig.resolvers.findEndpoint(call.getPeer());
    assert.deepEqual([endpoint?.metadata.podName, endpoint?.zone], [name, `zone-${name}`]);
    assert.equal(rig.resolvers.findEndpoint(call.getPeer(), "kubernetes:///server.default"), endpoint);
    assert.equal(rig.resolvers.findEndpoint(call.getPeer(), "kubernetes:///other"), undefined);
  }

  const [call, name] = await callPod(client);
  rig.source().setEndpoints(endpoints.filter(({ metadata }) => metadata.podName !== name));
  await until(() => rig.resolvers.stats()[0]?.endpoints === 1, "one endpoint");
  assert.equal(rig.resolvers.findEndpoint(call.getPeer())?.metadata.podName, name, "also when it has left");
});

test("what is no peer, and a peer of a closed channel, is not found", async (t) => {
  const rig = new Rig(t);
  const [pod] = await rig.start("a");
  rig.source().setEndpoints([endpointAt(pod.port)]);
  const client = rig.client();
  const [call] = await callPod(client);
  assert.ok(rig.resolvers.findEndpoint(call.getPeer()));
  for (const peer of ["", "10.0.0.1:1", "kubernetes:///server.default"]) {
    assert.equal(rig.resolvers.findEndpoint(peer), undefined);
  }
  const message = "findEndpoint: peer must be a text, such as call.getPeer() returns, got an object";
  assert.throws(() => rig.resolvers.findEndpoint(call as never), { name: "TypeError", message });
  client.close();
  await until(() => rig.resolvers.findEndpoint(call.getPeer()) === undefined, "nothing is kept of a closed channel");
});

test("the latest endpoint of an address counts; sets of long ago are forgotten; IPv6 stands in brackets", () => {
  const history = new EndpointHistory();
  const at = (host: string, id: string): Endpoint => ({ ...endpointAt(80), id, addresses: [{ host, port: 80 }] });
  history.add([at("10.0.0.1", "old"), at("fd00::1", "six")]);
  history.add([at("10.0.0.1", "new")]);
  assert.equal(history.find("10.0.0.1:80")?.id, "new");
  assert.equal(history.find("[fd00::1]:80")?.id, "six");
  const last = [at("10.0.0.2", "x")];
  for (let n = 0; n < 20; n++) history.add(last);
  assert.equal(history.find("[fd00::1]:80")?.id, "six", "the same set again is not another one");
  for (let n = 0; n < 10; n++) history.add([at("10.0.0.2", "x")]);
  assert.equal(history.find("[fd00::1]:80"), undefined);
});
