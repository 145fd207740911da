import assert from "node:assert/strict";
import { isIP } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { afterEach, test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { firstHost, type Lookup, type OwnAddressOptions, ownAddress } from "./own-address.ts";

const still = new ManualClock();
afterEach(async () => {
  assert.equal(still.sleeping, 0, "waits that are left");
  await assertNothingLeft();
});

const unknown: OwnAddressOptions = {
  advertise: {},
  podIp: "",
  bindAddress: "",
  port: 30_051,
  registry: { host: "127.0.0.1", port: 9 },
  clock: still,
  signal: new AbortController().signal,
};
const external = firstHost(networkInterfaces());

test("--advertise comes before the pod's address, that before the bind address, that before the interface's", async () => {
  const bound = { ...unknown, bindAddress: "127.0.0.3" };
  const inPod = { ...bound, podIp: "10.0.0.2" };
  const advertised = { ...inPod, advertise: { host: "example.org" } };
  assert.deepEqual(await ownAddress({ ...advertised, advertise: { host: "example.org", port: 80 } }), {
    host: "example.org",
    port: 80,
  });
  assert.deepEqual(await ownAddress(advertised), { host: "example.org", port: 30_051 });
  assert.deepEqual(await ownAddress(inPod), { host: "10.0.0.2", port: 30_051 });
  assert.deepEqual(await ownAddress(bound), { host: "127.0.0.3", port: 30_051 }, "loopback, as the user chose it");
  assert.deepEqual(await ownAddress(unknown), { host: external, port: 30_051 });
});

test("in a registry on this machine the address is one that other machines can reach, and not loopback", async () => {
  for (const host of ["127.0.0.1", "127.8.0.1", "::1", "localhost"]) {
    for (const bindAddress of ["", "0.0.0.0", "::"]) {
      assert.equal(
        (await ownAddress({ ...unknown, bindAddress, registry: { host, port: 8500 } })).host,
        external,
        host,
      );
    }
  }
  assert.equal((await ownAddress({ ...unknown, registry: { host: external, port: 8500 } })).host, external);
});

const info = (family: "IPv4" | "IPv6", address: string, internal = false) =>
  ({ family, address, internal }) as NetworkInterfaceInfo;
const loopback = [info("IPv4", "127.0.0.1", true), info("IPv6", "::1", true)];

for (const [what, interfaces, want] of [
  ["IPv4 before IPv6", { eth0: [info("IPv6", "fd00::2"), info("IPv4", "10.0.0.2")] }, "10.0.0.2"],
  ["the first of several", { eth0: [info("IPv4", "10.0.0.2")], eth1: [info("IPv4", "10.0.1.2")] }, "10.0.0.2"],
  ["IPv6 where that is all", { eth0: [info("IPv6", "fe80::1"), info("IPv6", "fd00::2")] }, "fd00::2"],
  [
    "none that counts on its own link alone",
    { eth0: [info("IPv4", "169.254.1.1"), info("IPv6", "fe80::1")] },
    "127.0.0.1",
  ],
  ["loopback where that is all", {}, "127.0.0.1"],
] as const) {
  test(`of a machine's addresses: ${what}`, () => {
    assert.equal(firstHost({ lo: loopback, ...interfaces }), want);
  });
}

test("a registry without an address does not stop the server", async () => {
  const { host } = await ownAddress({ ...unknown, registry: { host: "registry.invalid", port: 2379 } });
  assert.ok(isIP(host) && host !== "0.0.0.0", host);
});

test("a lookup without an answer ends after 2 s, or when the server ends", async () => {
  const started = Promise.withResolvers<void>();
  const lookup: Lookup = (name, _options, answer) => {
    if (isIP(name)) answer(null, name, 4);
    else started.resolve();
  };
  const clock = new ManualClock();
  const ending = new AbortController();
  const options = {
    ...unknown,
    registry: { host: "registry.example", port: 2379 },
    clock,
    signal: ending.signal,
    lookup,
  };
  const late = ownAddress(options);
  await started.promise;
  clock.advance(2_000);
  assert.equal((await late).host, external);
  const ended = ownAddress(options);
  ending.abort();
  assert.equal((await ended).host, external);
  assert.equal(clock.sleeping, 0);
});
