import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { Endpoint } from "../core/snapshot.ts";
import { createLayout, type LayoutName, layoutNames } from "./layouts.ts";
import { readInstance } from "./reader.ts";

const read = (layout: LayoutName, value: string, id = "id", before?: Endpoint) => {
  const { endpoint, problem } = readInstance(createLayout({ layout }), id, Buffer.from(value), before);
  const [address] = endpoint?.addresses ?? [];
  return { at: address && `${address.host} ${address.port}`, weight: endpoint?.weight, problem };
};
const good = (at: string, weight = 1) => ({ at, weight, problem: undefined });
const bad = (problem: string) => ({ at: undefined, weight: undefined, problem });

const cases: { readonly [L in LayoutName]: readonly [value: string, want: ReturnType<typeof read>, id?: string][] } = {
  endpoints: [
    ['{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}', good("10.0.0.1 80")],
    ['{"Addr":"[fd00::1]:80","Metadata":["a"]}', good("fd00::1 80")],
    ['{"Addr":"[FD00:0:0::0001]:80"}', good("fd00::1 80")],
    ['{"Addr":"h:80","Metadata":{"weight":0}}', good("h 80", 0)],
    ['{"Op":1,"Addr":"h:80"}', { at: undefined, weight: undefined, problem: undefined }],
    [
      '{"Addr":"h:80","Metadata":{"weight":"secret"}}',
      { ...good("h 80"), problem: "its weight must be a number from 0 to 2^32 - 1, got string" },
    ],
    [
      '{"Addr":"h:80","Metadata":{"weight":-1}}',
      { ...good("h 80"), problem: "its weight must be a number from 0 to 2^32 - 1, got -1" },
    ],
    [
      '{"Addr":"h:80","Metadata":{"weight":{}}}',
      { ...good("h 80"), problem: "its weight must be a number from 0 to 2^32 - 1, got object" },
    ],
    [
      '{"Addr":"h:80","Metadata":{"weight":""}}',
      { ...good("h 80"), problem: "its weight must be a number from 0 to 2^32 - 1, got string" },
    ],
    ['{"Addr":"h:80"}', bad("nothing follows the prefix in the key"), ""],
    ["[]", bad("it is not a JSON object; the value is a list of 0")],
    ["null", bad("it is not a JSON object; the value is null")],
    ["{}", bad("the field Addr is missing; the value is {}")],
    [
      '{"ip":"10.0.0.1","port":80,"tags":["secret"]}',
      bad("the field Addr is missing; the value is {ip: string, port: number, tags: list}"),
    ],
    ['{"Addr":5}', bad("the field Addr is not text; the value is {Addr: number}")],
    [
      '{"Addr":"secret"}',
      bad("the field Addr must be host:port, an IPv6 host in brackets; the value is {Addr: string}"),
    ],
    ["10.0.0.1:80", bad("it is not JSON; the value is an address, which layout=value reads")],
    ["secret", bad("it is not JSON; the value is text of 6 characters without a port")],
    ["", bad("it is not JSON; the value is empty")],
    [
      "x",
      bad("it is not JSON; the value is text of 1 characters without a port, which layout=key reads"),
      "10.0.0.1:80",
    ],
    [
      '{"name":"s","nodes":[{"id":"1","address":"h:1"}]}',
      bad("the field Addr is missing; the value is {name: string, nodes: list}, which layout=go-micro reads"),
    ],
    [`{"Addr":"h:80","Metadata":{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`, good("h 80")],
  ],
  kratos: [
    ['{"endpoints":["http://h:1","grpc://h:2?isSecure=false"]}', good("h 2")],
    ['{"endpoints":["grpc://[fd00::1]:2"]}', good("fd00::1 2")],
    ['{"endpoints":["grpcs://h:2/"],"metadata":{"weight":"5"}}', good("h 2", 5)],
    [
      '{"endpoints":["http://h:1"]}',
      bad("none of its 1 endpoints is of gRPC; schemes: http; the value is {endpoints: list}"),
    ],
    ['{"endpoints":[]}', bad("none of its 0 endpoints is of gRPC; schemes: ; the value is {endpoints: list}")],
    ["{}", bad("the field endpoints is not a list; the value is {}")],
    [
      '{"endpoints":["grpc://u:secret@h:1"]}',
      bad("the gRPC endpoint must be host:port, an IPv6 host in brackets; the value is {endpoints: list}"),
    ],
  ],
  "go-micro": [
    ['{"name":"s","nodes":[{"id":"id","address":"10.0.0.1:80","metadata":{"weight":"2"}}]}', good("10.0.0.1 80", 2)],
    ['{"nodes":[{"id":"other","address":"a:1"},{"id":"id","address":"b:1"}]}', good("b 1")],
    ['{"nodes":[{"address":"fd00::1","port":80}]}', good("fd00::1 80")],
    ['{"nodes":[]}', bad("the list nodes is empty; the value is {nodes: list}")],
    ['{"nodes":[5]}', bad("it is not a JSON object; the value is {nodes: list}")],
    ['{"nodes":[{}]}', bad("the field address of its node is missing; the value is {nodes: list}")],
  ],
  value: [
    ["10.0.0.1:8080", good("10.0.0.1 8080"), "7587847837239348737"],
    ["10.0.0.1:8080\n", good("10.0.0.1 8080")],
    [
      "10.0.0.1",
      bad("its value must be host:port, an IPv6 host in brackets; the value is text of 8 characters without a port"),
    ],
    [
      '{"Addr":"h:80"}',
      bad(
        "its value must be host:port, an IPv6 host in brackets; the value is {Addr: string}, which layout=endpoints reads",
      ),
    ],
  ],
  key: [
    ["anything", good("10.0.0.1 80"), "10.0.0.1:80"],
    ["", good("fd00::1 80"), "zone-a/[fd00:0::1]:80"],
    [
      "10.0.0.1:80",
      bad(
        "the last part of the key must be host:port, an IPv6 host in brackets; the key has 1 parts behind the prefix, which layout=value reads",
      ),
    ],
  ],
};
describe("a reader of values", () => {
  for (const layout of layoutNames) {
    for (const [value, want, id] of cases[layout]) {
      test(`layout ${layout}: ${value.slice(0, 80)}${id === undefined ? "" : ` under ${id}`}`, () =>
        assert.deepEqual(read(layout, value, id), want));
    }
  }

  test("a value that cannot be read leaves the last good one in use, and a bad weight the last weight", () => {
    const before = readInstance(
      createLayout({}),
      "id",
      Buffer.from('{"Addr":"h:1","Metadata":{"weight":5}}'),
      undefined,
    ).endpoint;
    for (const value of ["garbage", "x".repeat(70_000)]) {
      const { at, weight, problem } = read("endpoints", value, "id", before);
      assert.deepEqual([at, weight, typeof problem], ["h 1", 5, "string"]);
    }
    assert.partialDeepStrictEqual(read("endpoints", '{"Addr":"h:2","Metadata":{"weight":"x"}}', "id", before), {
      at: "h 2",
      weight: 5,
    });
  });

  test("a value of more than 64 KiB is refused, unless the layout reads no value", () => {
    const long = "x".repeat(65_537);
    assert.deepEqual(read("value", long, "h:1"), bad("its value has 65537 bytes, more than 65536"));
    assert.equal(read("key", long, "h:1").problem, undefined);
  });
});

test("what a layout writes, it reads", () => {
  const address = { host: "fd00::1", port: 80 };
  for (const name of layoutNames) {
    const layout = createLayout({ layout: name });
    const isBare = name === "key" || name === "value";
    const more = isBare ? {} : { weight: 3, metadata: { zone: "z", x: "y" } };
    const { key, value } = layout.write({ service: "a/b", address, ...more });
    const { endpoint, problem } = readInstance(layout, key, Buffer.from(value), undefined);
    assert.equal(problem, undefined);
    assert.deepEqual(
      [endpoint?.id, endpoint?.addresses, endpoint?.weight, endpoint?.zone, endpoint?.metadata.x],
      ["[fd00::1]:80", [address], ...(isBare ? [1, undefined, undefined] : [3, "z", "y"])],
    );
  }
  const weighted = { service: "s", address, weight: 3 };
  assert.throws(
    () => createLayout({ layout: "key" }).write(weighted),
    /^RangeError: this layout has no place for a weight/,
  );
});

test("each row of the README's table of layouts is read", async () => {
  const text = await readFile(new URL("README.md", import.meta.url), "utf8");
  const rows = text.matchAll(/^\| `([a-z-]+)`[^|]*\|[^|]*\| `([^`]+)` \| `?([^`|]+)`? \|$/gm);
  const services: Partial<Record<string, string>> = { value: "user.rpc", key: "/ns/shop" };
  const seen: string[] = [];
  for (const [, name = "", key = "", value = ""] of rows) {
    const layout = createLayout({ layout: name as LayoutName });
    const prefix = layout.prefix(services[name] ?? "shop");
    assert.ok(key.startsWith(prefix), key);
    const { endpoint, problem } = readInstance(layout, key.slice(prefix.length), Buffer.from(value), undefined);
    assert.deepEqual([endpoint?.addresses, problem], [[{ host: "10.0.0.1", port: 80 }], undefined], value);
    seen.push(name);
  }
  assert.deepEqual(seen, layoutNames);
});

test("the keys of a service have one prefix by layout, namespace and service", () => {
  for (const [options, service, prefix] of [
    [{}, "a/b", "a/b/"],
    [{}, "/ns/svc", "/ns/svc/"],
    [{ layout: "key" }, "/ns/svc", "/ns/svc/"],
    [{ layout: "value" }, "user.rpc", "user.rpc/"],
    [{ layout: "kratos" }, "shop", "/microservices/shop/"],
    [{ layout: "kratos" }, "a/b", "/microservices/a/b/"],
    [{ layout: "kratos", namespace: "/prod" }, "shop", "/prod/shop/"],
    [{ layout: "kratos", namespace: "prod" }, "shop", "prod/shop/"],
    [{ layout: "go-micro" }, "a/b", "/micro/registry/a-b/"],
  ] as const) {
    assert.equal(createLayout(options).prefix(service), prefix);
  }
});
