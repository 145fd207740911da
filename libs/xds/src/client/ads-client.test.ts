import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { ServerCredentials } from "@grpc/grpc-js";
import { type Clock, systemClock } from "@grpc-lb/core";
import {
  assertNothingLeft,
  closedPort,
  ManualClock,
  makeAuthority,
  makeCertificates,
  turn,
  until,
} from "@grpc-lb/core/testing";
import { FakeControlPlane } from "../../testing/index.ts";
import { AdsClient, type AdsClientOptions, type ResourceType, type XdsTls } from "./index.ts";

afterEach(assertNothingLeft);

/** Resources of the test: `name=value` as text; `!` at the end makes one that cannot be read. */
const texts: ResourceType<string> = {
  typeUrl: "type.googleapis.com/test.Text",
  name: "TEXT",
  decode(bytes) {
    const [, name, text] = /^(\w+)=(.*)$/.exec(Buffer.from(bytes).toString()) ?? [];
    if (name === undefined || text === undefined) throw new Error("it is not name=value");
    return {
      name,
      read() {
        if (text.endsWith("!")) throw new Error(`it ends with ${text.at(-1)}`);
        return text;
      },
    };
  },
};
const whole: ResourceType<string> = { ...texts, typeUrl: "type.googleapis.com/test.Whole", isComplete: true };

/** What a watcher heard, in its order. */
function watch(client: AdsClient, name: string, type = texts) {
  const heard: string[] = [];
  let currents = 0;
  const unwatch = client.watch(type, name, {
    onResource: (value) => heard.push(value),
    onMissing: (_, isStated) => heard.push(isStated ? "missing" : "unanswered"),
    onError: ({ code, message }) => heard.push(`${code}: ${message}`),
    onCurrent() {
      currents += 1;
    },
  });
  return { heard, unwatch, currents: () => currents };
}

interface Running {
  readonly fake: FakeControlPlane;
  readonly client: AdsClient;
  readonly clock: ManualClock;
  readonly errors: string[];
  put(name: string, value: string, type?: ResourceType<string>): void;
}

/** A client of a fake, which connects again at once when a stream ends, for the time of `run`. */
async function running(
  options: Partial<AdsClientOptions>,
  run: (context: Running) => Promise<void>,
  clock: Clock = new ManualClock(),
): Promise<void> {
  const fake = await FakeControlPlane.start();
  const client = new AdsClient({ host: "127.0.0.1", port: fake.port, ...options }, { clock, random: () => 0.5 });
  const ending = new AbortController();
  const errors: string[] = [];
  const ended = (async () => {
    while (!ending.signal.aborted)
      await client.attempt(() => {}, ending.signal).catch((error) => errors.push(error.message));
  })();
  const put = (name: string, value: string, type = texts) =>
    fake.set(type.typeUrl, name, Buffer.from(`${name}=${value}`));
  try {
    await run({ fake, client, clock: clock as ManualClock, errors, put });
  } finally {
    ending.abort();
    await ended;
    await fake.close();
  }
}

const deltas = ({ requests }: FakeControlPlane) =>
  requests.flatMap((each) => (each.t === "delta" ? [each.request] : []));
const states = ({ requests }: FakeControlPlane) =>
  requests.flatMap((each) => (each.t === "sotw" ? [each.request] : []));
const heard = (watcher: { readonly heard: readonly string[] }, ...wanted: readonly string[]) =>
  until(
    () => watcher.heard.join("|") === wanted.join("|"),
    `heard ${wanted.join("|")}, got ${watcher.heard.join("|")}`,
  );

for (const protocol of ["delta", "sotw"] as const) {
  test(`${protocol}: many watchers share one stream, on which each name is requested once, and changes are acknowledged`, () =>
    running(
      { protocol, node: { id: "node-1", locality: { zone: "z" }, metadata: { a: [1] } } },
      async ({ fake, client, put }) => {
        put("a", "1");
        const first = watch(client, "a");
        const second = watch(client, "a");
        const other = watch(client, "b");
        await heard(first, "1");
        await heard(second, "1");
        put("b", "2");
        await until(() => other.heard.at(-1) === "2", "b");
        put("a", "3");
        await heard(first, "1", "3");
        const late = watch(client, "a");
        assert.deepEqual(late.heard, ["3"], "what is known is handed over at once");
        assert.equal(fake.streams, 1);
        const all = fake.requests;
        assert.deepEqual(
          all.map(({ request }) => request.node?.id ?? ""),
          ["node-1", ...all.slice(1).map(() => "")],
          "the node stands in the first request alone",
        );
        assert.deepEqual(all[0]?.request.node?.metadata, { a: [1] });
        assert.equal(all[0]?.request.node?.locality?.zone, "z");
        for (const each of [first, second, late]) each.unwatch();
        if (protocol === "delta") {
          await until(() => deltas(fake).at(-1)?.resourceNamesUnsubscribe.join() === "a", "unsubscribed");
          const subscribed = deltas(fake).flatMap(({ resourceNamesSubscribe }) => resourceNamesSubscribe);
          assert.deepEqual(subscribed.sort(), ["a", "b"]);
        } else await until(() => states(fake).at(-1)?.resourceNames.join() === "b", "unsubscribed");
        put("a", "4");
        put("b", "5");
        await until(() => other.heard.at(-1) === "5", "b again");
        assert.deepEqual(first.heard, ["1", "3"], "nothing is heard after the end of a watch");
        assert.ok(all.every(({ request }) => request.errorDetail === undefined));
      },
    ));

  test(`${protocol}: a name that is watched again in the same turn has what is known of it, and hears what comes`, () =>
    running({ protocol }, async ({ fake, client, clock, put }) => {
      fake.tellsOfMissing = false;
      put("a", "1");
      const [first, unknown] = [watch(client, "a"), watch(client, "b")];
      await heard(first, "1");
      for (const each of [first, unknown]) each.unwatch();
      const [again, unknownAgain] = [watch(client, "a"), watch(client, "b")];
      await heard(again, "1");
      put("a", "2");
      await heard(again, "1", "2");
      clock.advance(15_000);
      await heard(unknownAgain, "unanswered");
      assert.deepEqual([first.heard, unknown.heard], [["1"], []]);
      again.unwatch();
      await turn();
      assert.deepEqual(watch(client, "a").heard, [], "a name that nobody watches is forgotten");
    }));

  test(`${protocol}: a resource that cannot be read is rejected with the reason, and the last good one stays`, () =>
    running({ protocol }, async ({ fake, client, clock, put }) => {
      put("a", "1");
      put("b", "1");
      const [a, b] = [watch(client, "a"), watch(client, "b")];
      await heard(a, "1");
      await heard(b, "1");
      put("a", "2!");
      const error = `invalid: control plane 127.0.0.1:${fake.port}: TEXT a: it ends with !`;
      await until(() => a.heard.at(-1) === error, "the error");
      assert.ok(!b.heard.includes(error));
      const rejected = () => fake.requests.filter(({ request }) => request.errorDetail);
      await until(() => rejected().length === 1, "the rejection");
      assert.equal(rejected()[0]?.request.errorDetail?.message, "a: it ends with !");
      const late = watch(client, "a");
      assert.deepEqual(late.heard, ["1", error]);
      // The second one in series waits, so that a server which repeats it at once is no storm.
      put("a", "3!");
      await until(() => a.heard.filter((each) => each === error).length === 2, "the second error");
      assert.equal(rejected().length, 1);
      clock.advance(100);
      await until(() => rejected().length === 2, "the second rejection");
      put("a", "4");
      await until(() => a.heard.at(-1) === "4", "a good one");
      if (protocol === "sotw") {
        const versions = states(fake).map(({ versionInfo }) => versionInfo);
        assert.equal(versions.at(-3), versions.at(-2), "a rejection has the version of the last good response");
      }
    }));

  test(`${protocol}: a rejection that waits is sent before names change, and before a later response is accepted`, () =>
    running({ protocol }, async ({ fake, client, put }) => {
      put("a", "1");
      const a = watch(client, "a");
      await heard(a, "1");
      const errors = () => a.heard.filter((each) => each.startsWith("invalid")).length;
      const answers = () => fake.requests.map(({ request }) => request).filter(({ responseNonce }) => responseNonce);
      const nonceOf = (rejection: number) =>
        answers().filter(({ errorDetail }) => errorDetail)[rejection]?.responseNonce;
      for (const [n, value] of ["2!", "3!"].entries()) {
        put("a", value);
        await until(() => errors() === n + 1, value);
      }
      fake.tellsOfMissing = false;
      const named = fake.requests.length;
      watch(client, "b");
      await until(() => fake.requests.length >= named + 2, "a rejection and the names");
      const [rejection, names] = fake.requests.slice(named).map(({ request }) => request);
      assert.equal(rejection?.errorDetail?.message, "a: it ends with !");
      assert.equal(names?.errorDetail, undefined);
      if (protocol === "sotw") {
        assert.deepEqual(states(fake)[named]?.resourceNames, ["a"]);
        assert.deepEqual(states(fake)[named + 1]?.resourceNames, ["a", "b"]);
        assert.equal(states(fake)[named]?.versionInfo, states(fake)[named + 1]?.versionInfo);
      } else assert.deepEqual(deltas(fake)[named + 1]?.resourceNamesSubscribe, ["b"]);

      const before = errors();
      put("a", "4!");
      await until(() => errors() > before, "4!");
      put("a", "5");
      await until(() => a.heard.at(-1) === "5", "5");
      const isAccepted = () => fake.requests.at(-1)?.request.errorDetail === undefined && nonceOf(2) !== undefined;
      await until(isAccepted, "a rejection, and what accepts the later response");
      for (const { responseNonce } of answers().filter(({ errorDetail }) => errorDetail)) {
        const first = answers().find((each) => each.responseNonce === responseNonce);
        assert.ok(first?.errorDetail, `the first request with the nonce ${responseNonce} rejects it`);
      }
    }));

  test(`${protocol}: after a lost connection the next stream resumes by versions, and nothing is heard twice`, () =>
    running({ protocol }, async ({ fake, client, clock, put }) => {
      put("a", "1");
      put("b", "1");
      const [a, b] = [watch(client, "a"), watch(client, "b")];
      await heard(a, "1");
      await heard(b, "1");
      const requests = fake.requests.length;
      fake.relay.drop();
      await until(() => fake.requests.length > requests && fake.streams === 1, "a new stream");
      const first = fake.requests[requests]?.request;
      assert.ok(first?.node);
      if (protocol === "delta") {
        assert.deepEqual(Object.keys(deltas(fake)[requests]?.initialResourceVersions ?? {}).sort(), ["a", "b"]);
      } else assert.notEqual(states(fake)[requests]?.versionInfo, "");
      await clock.asleep(); // for the second after which what was resumed is current
      clock.advance(1_000);
      await until(() => a.currents() > 0, "current");
      put("a", "2");
      await heard(a, "1", "2");

      put("b", "3!");
      const last = () => fake.requests.at(-1)?.request;
      await until(() => last()?.errorDetail !== undefined, "the rejection of b");
      const before = fake.requests.length;
      fake.relay.drop();
      await until(() => fake.requests.length > before && fake.streams === 1, "another stream");
      if (protocol === "delta") {
        assert.deepEqual(Object.keys(deltas(fake)[before]?.initialResourceVersions ?? {}), ["a"], "b was rejected");
      } else assert.equal(states(fake)[before]?.versionInfo, "", "b was rejected");
    }));
}

test("auto: delta where the control plane has it, state of the world where it is UNIMPLEMENTED, on the same connection", () =>
  running({}, async ({ fake, client, put, errors }) => {
    put("a", "1");
    const a = watch(client, "a");
    await heard(a, "1");
    assert.equal(deltas(fake).length > 0 && states(fake).length === 0, true);
    fake.serves.delta = false;
    fake.relay.drop();
    await until(() => states(fake).length > 0, "state of the world");
    assert.equal(states(fake)[0]?.versionInfo, "", "versions of delta do not count");
    put("a", "2");
    await until(() => a.heard.at(-1) === "2", "a change");
    fake.serves.delta = true;
    fake.relay.drop();
    const before = deltas(fake).length;
    await until(() => deltas(fake).length > before, "delta again");
    assert.deepEqual(errors, []);
  }));

test("delta alone: a control plane without it is an error", () =>
  running({ protocol: "delta" }, async ({ fake, client, errors }) => {
    fake.serves.delta = false;
    const a = watch(client, "a");
    await until(() => errors.length > 0 && a.heard.length > 0, "an error");
    assert.match(errors.at(-1) ?? "", /^control plane 127\.0\.0\.1:\d+: unknown method$/);
  }));

test("delta: a resource that is removed, or never was, is missing at once; without an answer after 15 s of a stream", () =>
  running({}, async ({ fake, client, clock, put }) => {
    put("a", "1");
    const [a, b] = [watch(client, "a"), watch(client, "b")];
    await heard(a, "1");
    await heard(b, "missing");
    fake.delete(texts.typeUrl, "a");
    await heard(a, "1", "missing");
    put("a", "2");
    await heard(a, "1", "missing", "2");
    fake.tellsOfMissing = false;
    const c = watch(client, "c");
    await until(() => deltas(fake).some(({ resourceNamesSubscribe }) => resourceNamesSubscribe.includes("c")), "c");
    clock.advance(14_999);
    assert.ok(!c.heard.includes("unanswered"));
    clock.advance(1);
    await until(() => c.heard.includes("unanswered"), "c is missing");
    put("c", "1");
    await until(() => c.heard.at(-1) === "1", "c came late");
  }));

test("state of the world: what a response of a complete type has not does not exist; of another type it stays", () =>
  running({ protocol: "sotw" }, async ({ fake, client, put }) => {
    for (const type of [texts, whole]) for (const name of ["a", "b"]) put(name, "1", type);
    const [a, b] = [watch(client, "a"), watch(client, "a", whole)];
    const others = [watch(client, "b"), watch(client, "b", whole)];
    for (const each of [a, b, ...others]) await heard(each, "1");
    for (const type of [texts, whole]) fake.delete(type.typeUrl, "a");
    await heard(b, "1", "missing");
    for (const each of others) await until(() => each.currents() > 0, "the response");
    assert.ok(!a.heard.includes("missing"), a.heard.join());
  }));

test("an unreachable control plane is reported to watchers, and one that accepts and says nothing within the connect timeout", async () => {
  const port = await closedPort();
  const client = new AdsClient({ host: "127.0.0.1", port });
  const a = watch(client, "a");
  await assert.rejects(
    client.attempt(() => {}, new AbortController().signal),
    {
      name: "XdsError",
      code: "unavailable",
      message: `control plane 127.0.0.1:${port}: connect ECONNREFUSED`,
    },
  );
  assert.deepEqual(a.heard, [`unavailable: control plane 127.0.0.1:${port}: connect ECONNREFUSED`]);
  assert.deepEqual(watch(client, "b").heard, a.heard, "a watcher that comes later hears it at once");
  await running(
    { connectTimeoutMs: 200, keepaliveMs: 100, keepaliveTimeoutMs: 100 },
    async ({ fake, client, put, errors }) => {
      put("a", "1");
      const b = watch(client, "a");
      await heard(b, "1");
      fake.relay.freeze();
      await until(() => errors.length > 0, "an error");
      assert.match(errors[0] ?? "", /no connection within 200ms$/);
      fake.relay.thaw();
      put("a", "2");
      await until(() => b.heard.at(-1) === "2", "the change");
    },
    systemClock,
  );
});

test("a control plane that ends each stream without an answer is reported, however long its streams last", () =>
  running({}, async ({ fake, client, clock, errors }) => {
    fake.tellsOfMissing = false;
    const a = watch(client, "a");
    await until(() => fake.streams === 1 && fake.requests.length === 1, "a stream");
    await clock.asleep(2);
    clock.advance(5_000);
    fake.relay.drop();
    await until(() => errors.length > 0 && a.heard.length > 0, "an error");
    assert.match(a.heard[0] ?? "", /^unavailable: /);
  }));

test("responses that no control plane should send are rejected or ignored, and the last good resources stay", () =>
  running({ protocol: "delta" }, async ({ fake, client, errors, put }) => {
    put("a", "1");
    const a = watch(client, "a");
    await heard(a, "1");
    const { typeUrl } = texts;
    const resource = (text: string, type = typeUrl) => ({ typeUrl: type, value: Buffer.from(text) });
    const last = () => deltas(fake).at(-1);
    const rejected = async (nonce: string, message: RegExp) => {
      await until(() => last()?.responseNonce === nonce, `an answer to ${nonce}`);
      assert.match(last()?.errorDetail?.message ?? "", message);
      put("a", `${nonce}`); // which also ends the series of rejections
      await until(() => a.heard.at(-1) === nonce && last()?.errorDetail === undefined, `${nonce} is accepted`);
    };
    fake.send({ typeUrl, nonce: "n1", resources: [{ name: "a", version: "x", resource: resource("b=2") }] });
    await rejected("n1", /^a: it has another name in itself$/);
    fake.send({ typeUrl, nonce: "n2", resources: [{ name: "a", version: "x", resource: resource("a=2", "wrong") }] });
    await rejected("n2", /^a: its type is wrong$/);
    fake.send({ typeUrl, nonce: "n3", resources: [{ name: "a", version: "x", resource: resource("\u001b[31m") }] });
    await rejected("n3", /^a: it is not name=value$/);
    const before = a.heard.length;
    fake.send({
      typeUrl,
      nonce: "n4",
      resources: [
        { name: "a", version: "y" },
        { name: "z", resource: resource("!") },
      ],
    });
    fake.send({ typeUrl: "never requested", nonce: "n5", resources: [{ name: "a", resource: resource("a=2") }] });
    fake.send({ typeUrl, nonce: "n6", removedResources: ["z", ""] });
    await until(() => last()?.responseNonce === "n6", "an answer to n6");
    assert.equal(a.heard.length, before, "a heartbeat, names that nobody watches and other types change nothing");
    assert.ok(deltas(fake).every(({ responseNonce }) => responseNonce !== "n5"));
    assert.deepEqual(errors, []);
  }));

test("a response that is too large is reported, and the last good resources stay", () =>
  running({}, async ({ client, errors, put }) => {
    put("a", "1");
    const a = watch(client, "a");
    await heard(a, "1");
    put("a", "2".repeat(17 * 2 ** 20));
    await until(() => errors.length > 0, "an error");
    assert.match(errors[0] ?? "", /Received message larger than max/);
    put("a", "3");
    await until(() => a.heard.at(-1) === "3", "a good one");
  }));

test("a control plane that sends and does not read is not read either, and its stream ends after 30 s", () =>
  running({ protocol: "delta" }, async ({ fake, client, clock, errors, put }) => {
    put("a", "0");
    const a = watch(client, "a");
    await heard(a, "0");
    fake.stopReading();
    const { typeUrl } = texts;
    const total = 5_000;
    for (let n = 1; n <= total; n++) {
      const resource = { typeUrl, value: Buffer.from(`a=${n}`) };
      // Its answers are large: grpc-js takes 1 MiB of a call before it says that the peer takes no more.
      fake.send({ typeUrl, nonce: `${n} `.padEnd(1_000, "."), resources: [{ name: "a", version: `${n}`, resource }] });
    }
    let [count, quiet] = [0, 0];
    const isStalled = () => {
      // What sleeps: that which keeps the stream current, and the limit of the wait.
      quiet = a.heard.length === count && clock.sleeping >= 2 ? quiet + 1 : 0;
      count = a.heard.length;
      return quiet >= 20;
    };
    await until(isStalled, "the client waits");
    assert.ok(count > 100 && count < total / 2, `${count} of ${total} responses are taken`);
    client.watch(texts, "b", { onResource() {}, onMissing() {}, onError() {}, onCurrent() {} });
    clock.advance(29_999);
    assert.deepEqual(errors, []);
    clock.advance(1);
    await until(() => errors.length === 1, "an error");
    assert.match(errors[0] ?? "", /: it has not read what it was sent for 30s$/);
    put("a", "last");
    await until(() => a.heard.at(-1) === "last", "the next stream");
  }));

test("an abort in any state leaves nothing", async () => {
  const fake = await FakeControlPlane.start();
  const client = new AdsClient({ host: "127.0.0.1", port: fake.port });
  const { unwatch } = watch(client, "a");
  for (const turns of [0, 1, 2, 4, 8, 16, 32, 64]) {
    const ending = new AbortController();
    const ended = client.attempt(() => {}, ending.signal);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    ending.abort();
    await ended;
  }
  unwatch();
  unwatch();
  await until(() => fake.relay.connections === 0, "no connection");
  await fake.close();
});

test("TLS files and the token's file are read for each stream; a refusal is permissionDenied and does not repeat the token", async (t) => {
  const certificates = makeCertificates("control-plane");
  if (!certificates) return t.skip("openssl is missing");
  const folder = mkdtempSync(join(tmpdir(), "ads-"));
  t.after(() => {
    certificates.remove();
    rmSync(folder, { recursive: true });
  });
  const [cert, key] = [certificates.server.certFile, certificates.server.keyFile].map((file) => readFileSync(file));
  assert.ok(cert && key);
  const fake = await FakeControlPlane.start(
    ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]),
  );
  fake.token = "right-token";
  fake.set(texts.typeUrl, "a", Buffer.from("a=1"));
  const tokenFile = join(folder, "token");
  const tls = { caFile: certificates.caFile, serverName: "control-plane" };
  const client = new AdsClient({ host: "127.0.0.1", port: fake.port, credentials: { tls, tokenFile } });
  const a = watch(client, "a");
  const ending = new AbortController();
  const denied = (message: RegExp) =>
    assert.rejects(
      client.attempt(() => {}, ending.signal),
      { code: "permissionDenied", message },
    );
  await denied(/: the token's file cannot be read: ENOENT/);
  writeFileSync(tokenFile, "wrong-token\n");
  await denied(/^control plane 127\.0\.0\.1:\d+: wrong token: Bearer …$/);
  writeFileSync(tokenFile, "right-token\n");
  const ended = client.attempt(() => {}, ending.signal);
  await until(() => a.heard.at(-1) === "1", "the resource");
  ending.abort();
  await ended;
  await fake.close();
  assert.throws(() => new AdsClient({ host: "h", port: 1, credentials: { tokenFile } }), /tokenFile needs tls/);
});

test("a handshake that fails names what configures the connection to the control plane", async (t) => {
  const [authority, other] = [makeAuthority(), makeAuthority()];
  if (!authority || !other) return t.skip("openssl is missing");
  t.after(() => {
    authority.remove();
    other.remove();
  });
  const { certFile, keyFile } = authority.issue("server", { hosts: ["localhost"] });
  const pair = { cert_chain: readFileSync(certFile), private_key: readFileSync(keyFile) };
  const [plain, secure, mutual] = await Promise.all([
    FakeControlPlane.start(),
    FakeControlPlane.start(ServerCredentials.createSsl(null, [pair])),
    FakeControlPlane.start(ServerCredentials.createSsl(readFileSync(authority.caFile), [pair], true)),
  ]);
  const { caFile } = authority;
  const cases: readonly (readonly [FakeControlPlane, XdsTls | undefined, RegExp])[] = [
    [secure, undefined, /it may speak TLS: channel_creds of type "tls" in the bootstrap, GRPC_XDS_BOOTSTRAP/],
    [plain, { caFile }, /does not speak TLS on this port; channel_creds of type "insecure" in the bootstrap/],
    [secure, {}, /no trusted authority .*; ca_certificate_file in the bootstrap \(tls\.caFile\) names the file/],
    [secure, { caFile: other.caFile }, /no trusted authority .*; ca_certificate_file in the bootstrap/],
    [secure, { caFile, serverName: "far" }, /is for .*, not for far; .* host of the target \(tls\.serverName\)$/],
    [secure, { caFile, serverName: "10.0.0.1" }, /is for 127\.0\.0\.1, localhost, .*not for 10\.0\.0\.1; /],
    [mutual, { caFile }, /certificate: certificate_file and private_key_file in the bootstrap/],
  ];
  for (const [{ port }, tls, message] of cases) {
    const client = new AdsClient({ host: "127.0.0.1", port, credentials: { tls } });
    const attempt = client.attempt(() => {}, new AbortController().signal);
    await assert.rejects(attempt, { code: "unavailable", message });
    await assert.rejects(attempt, ({ message }: Error) => !message.includes("--"));
  }
  await Promise.all([plain, secure, mutual].map((each) => each.close()));
});
