/** Members that answer, without an error, what etcd never answers. */
import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { afterEach, test } from "node:test";
import { assertNothingLeft, turn, until } from "@grpc-lb/core/testing";
import {
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseRevokeResponse,
  PutResponse,
  RangeResponse,
} from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { sourceIn } from "../../testing/context.ts";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { answer, frame, RawMember } from "../../testing/etcd/raw-member.ts";
import { goValue } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { registerInEtcdIn } from "./registration.ts";
import { defineEtcdSource } from "./source.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

const header = { revision: 5n };
const kvs = (key: string) => [{ key: Buffer.from(key), value: Buffer.from(goValue("10.0.0.1:80")) }];
const range = (response: Parameters<typeof RangeResponse.fromPartial>[0]) =>
  RangeResponse.encode(RangeResponse.fromPartial(response)).finish();
const empty = new Uint8Array();

async function startRaw(onCall: (stream: ServerHttp2Stream, path: string) => void): Promise<string> {
  const member = await RawMember.start(onCall);
  cleanups.push(() => member.close());
  return member.endpoint;
}

async function startGood(): Promise<string> {
  const fake = await FakeEtcd.start();
  cleanups.push(() => fake.close());
  fake.onRange = () => ({ header, kvs: kvs("s/1") });
  return fake.endpoint;
}

/** What a member answers to a list. */
const lists: readonly (readonly [what: string, onCall: (stream: ServerHttp2Stream) => void, problem: RegExp])[] = [
  ["an empty message", (stream) => answer(stream, empty), /an answer without a revision/],
  ["keys without a revision", (stream) => answer(stream, range({ kvs: kvs("s/1") })), /an answer without a revision/],
  ["a revision of 0", (stream) => answer(stream, range({ header: { revision: 0n } })), /an answer without a revision/],
  [
    "keys of another service",
    (stream) => answer(stream, range({ header, kvs: kvs("t/1") })),
    /a key of another service/,
  ],
  ["nothing", (stream) => answer(stream), /list s\/ on /],
  ["two messages", (stream) => answer(stream, range({ header }), range({ header })), /more than one answer/],
];
for (const [what, onCall, problem] of lists) {
  test(`a member whose list is ${what} is left for the next one`, async () => {
    const endpoints = [await startRaw(onCall), await startGood()];
    const options = { endpoints, service: "s", credentials: {}, random: () => 0 };
    const reader = new SnapshotReader(sourceIn(defineEtcdSource, options));
    cleanups.push(() => reader.close());
    await reader.until("the endpoint of the good member", (snapshot) => snapshot.endpoints?.length === 1);
    assert.match(reader.snapshots.map(({ error }) => error?.message).join("\n"), problem);
  });
}

test("a member that answers a list with endless messages is left at the second one", async () => {
  let sent = 0;
  const bad = await startRaw((stream) => {
    const endless = setInterval(() => {
      stream.write(frame(range({ header })));
      sent += 1;
    }, 1);
    stream.on("close", () => clearInterval(endless));
  });
  const options = { endpoints: [bad, await startGood()], service: "s", credentials: {}, random: () => 0 };
  const reader = new SnapshotReader(sourceIn(defineEtcdSource, options));
  cleanups.push(() => reader.close());
  await reader.until("the endpoint of the good member", (snapshot) => snapshot.endpoints?.length === 1);
  assert.ok(sent < 1_000, `want few messages, got ${sent}`);
});

const lease = LeaseGrantResponse.encode(LeaseGrantResponse.fromPartial({ header, ID: 7n, TTL: 10n })).finish();
const renewed = LeaseKeepAliveResponse.encode(
  LeaseKeepAliveResponse.fromPartial({ header, ID: 7n, TTL: 10n }),
).finish();
const revoked = LeaseRevokeResponse.encode(LeaseRevokeResponse.fromPartial({ header })).finish();
const written = PutResponse.encode(PutResponse.fromPartial({ header })).finish();

/** What a member answers to a registration, by the end of the method's path. */
const registrations: readonly (readonly [
  what: string,
  answers: Readonly<Record<string, Uint8Array>>,
  problem: RegExp,
])[] = [
  ["a lease without an id", {}, /a lease without an id or a TTL/],
  [
    "a lease that is an error",
    { LeaseGrant: LeaseGrantResponse.encode(LeaseGrantResponse.fromPartial({ error: "no space" })).finish() },
    /no space/,
  ],
  ["a write without a revision", { LeaseGrant: lease, LeaseKeepAlive: renewed }, /an answer without a revision/],
];
for (const [what, answers, problem] of registrations) {
  test(`a registration that a member answers with ${what} is made at the next one`, async () => {
    const errors: string[] = [];
    const bad = await startRaw((stream, path) => answer(stream, answers[path.split("/").at(-1) ?? ""] ?? empty));
    const good = await startRaw((stream, path) => {
      if (path.endsWith("/LeaseGrant")) answer(stream, lease);
      else if (path.endsWith("/Put")) answer(stream, written);
      else if (path.endsWith("/LeaseKeepAlive")) answer(stream, renewed);
      else if (path.endsWith("/LeaseRevoke")) answer(stream, revoked);
      else if (!path.endsWith("/Watch")) answer(stream, empty);
    });
    const registration = registerInEtcdIn(
      {
        endpoints: [bad, good],
        credentials: {},
        instance: { service: "s", address: { host: "10.0.0.1", port: 80 } },
        onError: (error) => errors.push(error.message),
      },
      { random: () => 0 },
    );
    cleanups.push(() => registration.close());
    await until(() => registration.stats.isRegistered, "the registration");
    assert.match(errors.join("\n"), problem);
    assert.equal(registration.stats.registrations, 1);
  });
}

test("a registration whose key is read as another one is not held", async () => {
  const other = range({ header, kvs: [{ key: Buffer.from("s/2"), value: Buffer.from("x") }] });
  let watches = 0;
  const member = await startRaw((stream, path) => {
    if (path.endsWith("/LeaseGrant")) answer(stream, lease);
    else if (path.endsWith("/Put")) answer(stream, written);
    else if (path.endsWith("/LeaseKeepAlive")) answer(stream, renewed);
    else if (path.endsWith("/Range")) answer(stream, other);
    else if (path.endsWith("/Watch") && ++watches === 1)
      answer(stream); // the watch ends, so the key is read
    else if (path.endsWith("/LeaseRevoke")) answer(stream, revoked);
    else if (!path.endsWith("/Watch")) answer(stream, empty);
  });
  const errors: string[] = [];
  const registration = registerInEtcdIn(
    {
      endpoints: [member],
      credentials: {},
      instance: { service: "s", address: { host: "10.0.0.1", port: 80 } },
      onError: (error) => errors.push(error.message),
    },
    { random: () => 0 },
  );
  cleanups.push(() => registration.close());
  await until(() => errors.length > 0, "an error");
  assert.match(errors.join("\n"), /an answer about another key/);
});

test("a lease of more than a timer can hold is renewed at its distance, and not at once", async () => {
  let renewals = 0;
  const endless = LeaseGrantResponse.encode(
    LeaseGrantResponse.fromPartial({ header, ID: 7n, TTL: 9_000_000_000n }),
  ).finish();
  const member = await startRaw((stream, path) => {
    if (path.endsWith("/LeaseGrant")) answer(stream, endless);
    else if (path.endsWith("/Put")) answer(stream, written);
    else if (path.endsWith("/LeaseKeepAlive")) {
      renewals += 1;
      answer(stream, renewed);
    } else if (path.endsWith("/LeaseRevoke")) answer(stream, revoked);
    else if (!path.endsWith("/Watch")) answer(stream, empty);
  });
  const registration = registerInEtcdIn(
    { endpoints: [member], credentials: {}, instance: { service: "s", address: { host: "10.0.0.1", port: 80 } } },
    { random: () => 0 },
  );
  cleanups.push(() => registration.close());
  await registration.registered;
  for (let n = 0; n < 200; n++) await turn();
  assert.equal(renewals, 0);
});
