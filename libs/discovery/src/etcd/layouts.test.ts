import assert from "node:assert/strict";
import { test } from "node:test";
import { layoutOf } from "./layouts.ts";
import { readValue } from "./value.ts";

const read = (layout: "endpoints" | "kratos", value: string) => {
  const { endpoint, problem } = readValue(layoutOf(layout), "id", value);
  const [address] = endpoint?.addresses ?? [];
  return { at: address && `${address.host} ${address.port}`, weight: endpoint?.weight, problem };
};

test("values of etcd's Go client are read, and what is wrong with others is said", () => {
  const cases: readonly [string, ReturnType<typeof read>][] = [
    ['{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}', { at: "10.0.0.1 80", weight: 1, problem: undefined }],
    ['{"Addr":"[fd00::1]:80","Metadata":["a"]}', { at: "fd00::1 80", weight: 1, problem: undefined }],
    ['{"Addr":"h:80","Metadata":{"weight":0}}', { at: "h 80", weight: 0, problem: undefined }],
    ['{"Addr":"h:80","Metadata":{"weight":"x"}}', { at: "h 80", weight: 1, problem: 'h:80 has the weight "x"' }],
    ['{"Addr":"h:80","Metadata":{"weight":""}}', { at: "h 80", weight: 1, problem: 'h:80 has the weight ""' }],
    ['{"Op":1,"Addr":"h:80"}', { at: undefined, weight: undefined, problem: undefined }],
    ["[]", { at: undefined, weight: undefined, problem: "it is no JSON object" }],
    ["null", { at: undefined, weight: undefined, problem: "it is no JSON object" }],
    ["{}", { at: undefined, weight: undefined, problem: "it has no Addr" }],
  ];
  for (const [value, wanted] of cases) assert.deepEqual(read("endpoints", value), wanted, value);
  assert.match(read("endpoints", '{"Addr":"h"}').problem ?? "", /^must be host:port/);
  assert.match(read("endpoints", "").problem ?? "", /JSON/);
});

test("of kratos's endpoints that of gRPC is taken", () => {
  const value = (...endpoints: readonly string[]) => JSON.stringify({ id: "1", name: "s", endpoints });
  const none = (told: string) => ({
    at: undefined,
    weight: undefined,
    problem: `it has no endpoint of gRPC among [${told}]`,
  });
  const cases: readonly [string, ReturnType<typeof read>][] = [
    [value("http://h:1", "grpc://h:2?isSecure=false"), { at: "h 2", weight: 1, problem: undefined }],
    [value("grpc://[fd00::1]:2"), { at: "fd00::1 2", weight: 1, problem: undefined }],
    [value("grpcs://h:2/"), { at: "h 2", weight: 1, problem: undefined }],
    [value("http://h:1"), none("http://h:1")],
    [value(), none("")],
    ["{}", none("")],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(read("kratos", text), wanted, text);
});

test("what a layout writes, it reads", () => {
  const instance = {
    service: "a/b",
    address: { host: "fd00::1", port: 80 },
    weight: 3,
    metadata: { zone: "z", x: "y" },
  };
  for (const name of ["endpoints", "kratos"] as const) {
    const layout = layoutOf(name);
    const { key, value } = layout.write(instance);
    const { endpoint, problem } = readValue(layout, key, value);
    assert.equal(problem, undefined);
    assert.deepEqual(
      [endpoint?.id, endpoint?.addresses, endpoint?.weight, endpoint?.zone, endpoint?.metadata.x],
      ["[fd00::1]:80", [instance.address], 3, "z", "y"],
    );
    assert.ok(layout.prefix(instance.service).endsWith("a/b/"));
  }
});
