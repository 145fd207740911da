import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import { DiscoveryResponse, Resource } from "@grpc-lb/protos/envoy/service/discovery/v3";
import type { ResourceType } from "./resource-type.ts";
import { StateExchange } from "./state-exchange.ts";
import { Subscriptions } from "./subscriptions.ts";

const typeUrl = "type.googleapis.com/test.Text";
const texts = (isComplete: boolean): ResourceType<string> => ({
  ...{ typeUrl, name: "TEXT", isComplete },
  decode(bytes) {
    const [name = "", text = ""] = Buffer.from(bytes).toString().split("=");
    return { name, read: () => text };
  },
});
const plain = (text: string) => ({ typeUrl, value: Buffer.from(text) });
const wrapped = (value: Uint8Array) => {
  return { typeUrl: "type.googleapis.com/envoy.service.discovery.v3.Resource", value: Buffer.from(value) };
};
const wrap = (resource: Partial<Resource>) => wrapped(Resource.encode(Resource.fromPartial(resource)).finish());

for (const isComplete of [false, true]) {
  const kind = isComplete ? "a complete type" : "another type";
  test(`resources of ${kind} may be wrapped; a wrapper without one changes nothing, and one that is not valid is rejected`, () => {
    const subscriptions = new Subscriptions(texts(isComplete), "host:1", new ManualClock(), 15_000);
    const heard: string[] = [];
    for (const name of ["a", "b"]) {
      subscriptions.add(name, {
        onResource: (value) => heard.push(`${name} ${value}`),
        onMissing: () => heard.push(`${name} missing`),
        onError: ({ message }) => heard.push(message),
        onCurrent: () => {},
      });
    }
    const exchange = new StateExchange(Node.fromPartial({ id: "tester" }));
    const receive = (...resources: { typeUrl: string; value: Buffer }[]) =>
      exchange.receive(subscriptions as Subscriptions, DiscoveryResponse.fromPartial({ typeUrl, resources }));

    assert.equal(receive(wrap({ name: "a", resource: plain("a=1") }), plain("b=1")), undefined);
    assert.deepEqual(heard.splice(0), ["a 1", "b 1"]);
    const ttl = { seconds: 10n, nanos: 0 };
    assert.equal(receive(wrap({ name: "a", ttl })), undefined);
    assert.deepEqual(heard.splice(0), []);
    assert.match(receive(wrapped(Buffer.from([255])), plain("b=2")) ?? "", /^a resource: its type is .*\.Resource$/);
    assert.equal(heard.splice(0)[0], "b 2");
    assert.equal(receive(wrap({ name: "a", resource: plain("a=2") }), plain("b=2")), undefined);
    assert.deepEqual(heard.splice(0), ["a 2"]);
  });
}
