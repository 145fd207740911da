import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createSource } from "../create-source.ts";
import { register } from "../register.ts";

const skip = etcdIsMissing ?? false;
let server: EtcdServer;

before(async () => {
  if (!skip) server = await EtcdServer.start();
});
after(async () => {
  if (!skip) await server.close();
  await assertNothingLeft();
});

/** What a registration at a target writes, with metadata where the layout has a place for them. */
const written: readonly (readonly [target: string, key: string, value: RegExp, hasMetadata: boolean])[] = [
  ["/shop", "shop/10.0.0.1:80", /^\{"Op":0,"Addr":"10\.0\.0\.1:80","Metadata":\{"zone":"a","weight":3\}\}$/, true],
  ["//team/shop?layout=endpoints", "/team/shop/10.0.0.1:80", /^\{"Op":0,/, true],
  ["/shop?layout=kratos", "/microservices/shop/10.0.0.1:80", /"endpoints":\["grpc:\/\/10\.0\.0\.1:80\?/, true],
  ["/shop?layout=kratos&namespace=/prod", "/prod/shop/10.0.0.1:80", /"name":"shop"/, true],
  ["/shop?layout=go-micro", "/micro/registry/shop/10.0.0.1:80", /"nodes":\[\{"id":"10\.0\.0\.1:80",/, true],
  ["/shop?layout=go-micro&namespace=/prod/micro", "/prod/micro/shop/10.0.0.1:80", /"nodes":/, true],
  ["/user.rpc?layout=value", "user.rpc/10.0.0.1:80", /^10\.0\.0\.1:80$/, false],
  ["//ns/say_hello_servers?layout=key", "/ns/say_hello_servers/10.0.0.1:80", /^10\.0\.0\.1:80$/, false],
];
for (const [text, key, value, hasMetadata] of written) {
  test(`what is registered at etcd://host${text} is found at it`, { skip }, async () => {
    const target = `etcd://${server.endpoint}${text}`;
    const more = hasMetadata ? { weight: 3, metadata: { zone: "a" } } : {};
    const registration = await register(target, { address: { host: "10.0.0.1", port: 80 }, ...more });
    await registration.registered;
    const [found] = await server.read(key);
    assert.equal(found?.[0], key);
    assert.match(found?.[1].value ?? "", value);
    const reader = new SnapshotReader(await createSource(target));
    const { endpoints, error } = await reader.untilAddresses("10.0.0.1:80");
    assert.equal(error, undefined);
    const got = endpoints?.map(({ id, weight, zone }) => [id, weight, zone]);
    assert.deepEqual(got, [["10.0.0.1:80", ...(hasMetadata ? [3, "a"] : [1, undefined])]]);
    await registration.close();
    await reader.untilAddresses();
    await reader.close();
  });
}

/** What other programs write. */
const foreign: readonly (readonly [target: string, key: string, value: string])[] = [
  [
    "/shop?layout=go-micro",
    "/micro/registry/shop/shop-1",
    '{"name":"shop","nodes":[{"id":"shop-1","address":"10.0.0.9:80"}]}',
  ],
  [
    "/shop?layout=kratos&namespace=/prod",
    "/prod/shop/id-1",
    '{"id":"id-1","endpoints":["http://10.0.0.9:81","grpc://10.0.0.9:80"]}',
  ],
  ["/user.rpc?layout=value", "user.rpc/7587847837239348737", "10.0.0.9:80"],
  ["//ns/say_hello_servers?layout=key", "/ns/say_hello_servers/10.0.0.9:80", "anything"],
];
for (const [text, key, value] of foreign) {
  test(`at etcd://host${text} an endpoint is found under the key ${key}`, { skip }, async () => {
    await server.put(key, value);
    const reader = new SnapshotReader(await createSource(`etcd://${server.endpoint}${text}`));
    const { error } = await reader.untilAddresses("10.0.0.9:80");
    assert.equal(error, undefined);
    await reader.close();
    await server.delete(key);
  });
}

test("two registrations of one IPv6 address in two spellings are one key", { skip }, async () => {
  const target = `etcd://${server.endpoint}/spelled`;
  const registrations = await Promise.all(
    ["FD00:0:0::1", "fd00::1"].map((host) => register(target, { address: { host, port: 80 } })),
  );
  await Promise.all(registrations.map(({ registered }) => registered));
  assert.deepEqual([...(await server.read("spelled/")).keys()], ["spelled/[fd00::1]:80"]);
  await Promise.all(registrations.map((each) => each.close()));
});

test("two keys of one IPv6 address in two spellings are one endpoint", { skip }, async () => {
  await server.put("v6/[FD00:0:0::0001]:80", "");
  await server.put("v6/[fd00::1]:80", "");
  const reader = new SnapshotReader(await createSource(`etcd://${server.endpoint}/v6?layout=key`));
  await reader.untilAddresses("fd00::1:80");
  await reader.close();
});
