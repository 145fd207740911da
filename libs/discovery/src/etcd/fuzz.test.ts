import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcStatus } from "@grpc-lb/xds/channel";
import fc from "fast-check";
import { assertValidEndpoint } from "../../testing/endpoint.ts";
import { anyText, assertBounded, mutated } from "../../testing/fuzz.ts";
import { formatAddress, parseAddress } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { parseRegistrationTarget } from "../registration-target.ts";
import { parseTarget } from "../target.ts";
import { describeFailure } from "./error.ts";
import { createLayout, type LayoutName, layoutNames } from "./layouts.ts";
import { readInstance } from "./reader.ts";

/** Values that a field may have, right and wrong ones. */
const leaf = fc.oneof(
  fc.constantFrom(
    "10.0.0.1:80",
    "[FD00:0::1]:80",
    "fd00::1",
    "grpc://10.0.0.1:80?isSecure=true",
    "http://h:1",
    "",
    "a",
  ),
  fc.constantFrom(null, true, 0, -1, 1, 80, 65_536, 1e308, "3", "-0", "1e400"),
  fc.string({ maxLength: 5 }),
);
const names = ["Op", "Addr", "Metadata", "weight", "zone", "endpoints", "nodes", "id", "address", "port", "metadata"];
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names, "version", "__proto__", "toString"), tie("tree"), { maxKeys: 5 }),
  ),
}));
const maybe = (right: fc.Arbitrary<unknown>) => fc.oneof({ weight: 4, arbitrary: right }, tree);
const address = maybe(fc.constantFrom("10.0.0.1:80", "[fd00::1]:80", "h.example:1"));
const metadata = maybe(
  fc.record({ weight: maybe(fc.constantFrom(0, 1.5, "2")), zone: maybe(fc.constant("z")), x: tree }),
);
const node = fc.record({ id: maybe(fc.constant("id")), address, port: tree, metadata }, { requiredKeys: [] });
const documents: Readonly<Record<LayoutName, fc.Arbitrary<unknown>>> = {
  endpoints: fc.record({ Op: maybe(fc.constantFrom(0, 1)), Addr: address, Metadata: metadata }, { requiredKeys: [] }),
  kratos: fc.record(
    {
      metadata,
      version: tree,
      endpoints: maybe(fc.array(maybe(fc.constantFrom("grpc://h:1?isSecure=x", "http://h:2")))),
    },
    { requiredKeys: [] },
  ),
  "go-micro": fc.record({ version: tree, nodes: maybe(fc.array(maybe(node), { maxLength: 3 })) }, { requiredKeys: [] }),
  value: tree,
  key: tree,
};
const good: Readonly<Record<LayoutName, string>> = {
  endpoints: '{"Op":0,"Addr":"10.0.0.1:80","Metadata":{"weight":3,"zone":"a"}}',
  kratos: '{"id":"1","version":"v1","metadata":{"weight":"3"},"endpoints":["grpc://10.0.0.1:80?isSecure=false"]}',
  "go-micro": '{"name":"s","version":"v1","nodes":[{"id":"1","address":"10.0.0.1:80","metadata":{"weight":"3"}}]}',
  value: "10.0.0.1:80",
  key: "10.0.0.1:80",
};
/** A piece of each value, which no error may repeat. */
const secret = "hunter2S3CRET";
const before: Endpoint | undefined = readInstance(
  createLayout({}),
  "id",
  Buffer.from('{"Addr":"last.good:1","Metadata":{"weight":5}}'),
  undefined,
).endpoint;

for (const name of layoutNames) {
  const layout = createLayout({ layout: name });
  const value = fc.oneof(
    documents[name].map((document) => Buffer.from(JSON.stringify(document))),
    mutated(fc.constant(good[name])).map((text) => Buffer.from(text)),
    anyText().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 60 }),
  );
  const id = fc.oneof(fc.constantFrom("id", "1", "", "10.0.0.1:80", "zone/[FD00:0::1]:80"), anyText(20));

  test(`layout ${name}: whatever a key and its value are, what is read satisfies the types, or the last good one stays`, () => {
    assertBounded(
      fc.property(id, value, fc.constantFrom(undefined, before), (key, bytes, last) => {
        const { endpoint, problem } = readInstance(layout, key, bytes, last);
        if (endpoint) assertValidEndpoint(endpoint);
        assert.ok(problem === undefined || problem.length < 500, problem);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal
        assert.ok(!/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/.test(problem ?? ""), JSON.stringify(problem));
        if (problem !== undefined && endpoint === undefined) assert.ok(last === undefined || key === "", problem);
      }),
      2_000,
    );
  });

  test(`layout ${name}: no error repeats a value`, () => {
    const place = fc.constantFrom(
      `"${secret}"`,
      secret,
      `u:${secret}@h:1`,
      `{"Addr":"${secret}"}`,
      `{"Addr":"h:1","Metadata":{"weight":"${secret}"}}`,
      `{"endpoints":["${secret}"]}`,
      `{"endpoints":["grpc://u:${secret}@h:1"]}`,
      `{"nodes":[{"address":"${secret}"}]}`,
      `{"nodes":["${secret}"]}`,
      `{"nodes":"${secret}"}`,
    );
    assertBounded(
      fc.property(place, fc.oneof(fc.constant(""), anyText(4)), (text, noise) => {
        const { problem = "" } = readInstance(layout, "id", Buffer.from(text + noise), undefined);
        assert.ok(!problem.includes(secret), problem);
      }),
      2_000,
    );
  });
}

test("what a layout writes for any address and weight, it reads", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  const port = fc.integer({ min: 1, max: 65_535 });
  const weight = fc.double({ min: 0, max: 2 ** 32 - 1, noNaN: true });
  const text = fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), anyText(10), { maxKeys: 3 });
  assertBounded(
    fc.property(fc.constantFrom(...layoutNames), host, port, weight, text, (name, host, port, weight, metadata) => {
      let address: ReturnType<typeof parseAddress>;
      try {
        address = parseAddress(formatAddress({ host, port }));
      } catch {
        return; // an IPv6 address with a zone, or a name that is too long
      }
      const layout = createLayout({ layout: name });
      const isBare = name === "value" || name === "key";
      const { key, value } = layout.write({ service: "s", address, ...(!isBare && { weight, metadata }) });
      const { endpoint, problem } = readInstance(layout, key, Buffer.from(value), undefined);
      assert.equal(problem, undefined);
      assert.deepEqual(endpoint?.addresses, [address]);
      assert.equal(endpoint?.weight, isBare ? 1 : weight + 0);
    }),
    2_000,
  );
});

const targets = fc.oneof(
  mutated(
    fc.constantFrom(
      "etcd://a:2379,[::1]/team/server?layout=kratos",
      "etcd://a//services/shop?layout=key",
      "etcd://10.0.0.1/shop?layout=go-micro&namespace=/prod&ttl=5s",
      "etcd://a/server?ttl=10s",
    ),
  ),
  anyText().map((text) => `etcd://${text}`),
  anyText().map((text) => `etcd://h/${text}`),
);
for (const [what, parse] of [
  ["target", parseTarget],
  ["registration target", parseRegistrationTarget],
] as const) {
  test(`any text is a ${what} with a prefix that ends with one slash, or is refused with a short error`, () => {
    assertBounded(
      fc.property(targets, (text) => {
        let parsed: ReturnType<typeof parse>;
        try {
          parsed = parse(text);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
          assert.ok(error.message.length < 1_000, error.message);
          return;
        }
        assert.equal(parsed.t, "etcd");
        if (parsed.t !== "etcd") return;
        for (const member of parsed.members) assert.deepEqual(parseAddress(formatAddress(member)), member);
        const prefix = createLayout(parsed).prefix(parsed.service);
        assert.match(prefix, /[^/]\/$/s);
        assert.ok(!prefix.includes("//"), prefix);
        const ttlMs = "ttlMs" in parsed ? parsed.ttlMs : undefined;
        assert.ok(ttlMs === undefined || (typeof ttlMs === "number" && ttlMs >= 1_000), String(ttlMs));
      }),
      10_000,
    );
  });
}

test("whatever a server's message has around a password or a token, the error repeats neither", () => {
  const spell = fc.constantFrom<(text: string) => string>(
    (text) => text,
    (text) => JSON.stringify(text),
    (text) => encodeURIComponent(text),
    (text) => Buffer.from(text).toString("base64"),
    (text) => `name:"root" password:${JSON.stringify(text)}`,
  );
  const password = fc.constantFrom("hunter2", 'hun"ter\\2', "hünter/2 +x", "p@ss:w%rd");
  assertBounded(
    fc.property(password, spell, anyText(), anyText(), fc.nat(9_000), (password, spell, head, tail, length) => {
      const details = `${"x".repeat(length)}${head}${spell(password)}${tail}`;
      const failed = { what: "list s/ on h:2379", user: "root", secrets: [password, "token.123"] };
      const error = describeFailure(failed, new RpcStatus(2, details));
      for (const text of [error.message, String(error.cause), JSON.stringify(error)]) {
        for (const spelling of [password, JSON.stringify(password).slice(1, -1), encodeURIComponent(password)]) {
          assert.ok(!text.includes(spelling), text);
        }
        assert.ok(text.length < 1_200);
      }
    }),
    2_000,
  );
});
