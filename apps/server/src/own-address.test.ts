import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import { type OwnAddressOptions, ownAddress } from "./own-address.ts";

const nothing: OwnAddressOptions = {
  advertise: {},
  podIp: "",
  bindAddress: "",
  port: 30_051,
  registry: { host: "127.0.0.1", port: 9 },
};

test("what is said comes before the pod's address, that before the one listened on, that before the interface's", async () => {
  const bound = { ...nothing, bindAddress: "10.0.0.3" };
  const inPod = { ...bound, podIp: "10.0.0.2" };
  const said = { ...inPod, advertise: { host: "example.org" } };
  assert.deepEqual(await ownAddress({ ...said, advertise: { host: "example.org", port: 80 } }), {
    host: "example.org",
    port: 80,
  });
  assert.deepEqual(await ownAddress(said), { host: "example.org", port: 30_051 });
  assert.deepEqual(await ownAddress(inPod), { host: "10.0.0.2", port: 30_051 });
  assert.deepEqual(await ownAddress(bound), { host: "10.0.0.3", port: 30_051 });
  assert.deepEqual(await ownAddress(nothing), { host: "127.0.0.1", port: 30_051 }, "the way to a registry on loopback");
});

test("an address that means every interface is not registered, nor does a registry that has no address stop the server", async () => {
  for (const bindAddress of ["0.0.0.0", "::"]) {
    assert.equal((await ownAddress({ ...nothing, bindAddress })).host, "127.0.0.1");
  }
  const { host } = await ownAddress({ ...nothing, registry: { host: "registry.invalid", port: 2379 } });
  assert.ok(isIP(host) && host !== "0.0.0.0", host);
});
