import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseContent } from "./parse-content.ts";

test("a list, or an object with one, is read the same from JSON and YAML", async () => {
  const endpoint = {
    id: "10.0.0.1:80",
    addresses: [{ host: "10.0.0.1", port: 80 }],
    forZones: [],
    nodeName: undefined,
  };
  const want = [
    { ...endpoint, weight: 3, zone: "a", metadata: { podName: "p" } },
    { ...endpoint, id: "[::1]:81", addresses: [{ host: "::1", port: 81 }], weight: 1, zone: undefined, metadata: {} },
  ];
  const json =
    '[\n\t{ "address": "10.0.0.1:80", "weight": 3, "zone": "a", "metadata": { "podName": "p" } },\n\t{ "address": "[::1]:81" }\n]';
  const yaml = [
    "# the backends",
    "- address: 10.0.0.1:80",
    "  weight: 3",
    "  zone: a",
    "  metadata: { podName: p }",
    '- { address: "[::1]:81" }',
  ].join("\n");
  const nested = `endpoints:\n${yaml}\nserviceConfig:\n  loadBalancingConfig: [{ least_request: { choiceCount: 3 } }]\n`;
  const serviceConfig = '{"loadBalancingConfig":[{"least_request":{"choiceCount":3}}]}';
  assert.deepEqual(await parseContent(json), { endpoints: want, serviceConfig: undefined });
  assert.deepEqual(await parseContent(`\u{feff}${yaml}`), { endpoints: want, serviceConfig: undefined });
  assert.deepEqual(await parseContent(nested), { endpoints: want, serviceConfig });
  assert.deepEqual(await parseContent(`{"endpoints": ${json}, "serviceConfig": ${serviceConfig}}`), {
    endpoints: want,
    serviceConfig,
  });
});

test("the README's file is one", async () => {
  const readme = readFileSync(`${import.meta.dirname}/README.md`, "utf8");
  const yaml = /```yaml\n(endpoints:.*?)```/s.exec(readme)?.[1] ?? "";
  const { endpoints, serviceConfig } = await parseContent(yaml);
  assert.deepEqual(
    endpoints.map(({ id, weight }) => [id, weight]),
    [
      ["10.0.0.1:50051", 3],
      ["10.0.0.2:50051", 1],
    ],
  );
  assert.equal(serviceConfig, '{"loadBalancingConfig":[{"least_request":{"choiceCount":2}}]}');
});

test("an empty list is an empty set", async () => {
  for (const text of ["[]", "[]\n", "endpoints: []", '{"endpoints": []}', "# none\n[]"]) {
    assert.deepEqual((await parseContent(text)).endpoints, [], text);
  }
});

const nothing = "there is nothing in it; an empty list is written []";
const fields = "address, weight, zone, metadata";
for (const [what, text, line, message] of [
  ["an empty file", "", 1, nothing],
  ["comments alone", "# soon\n", 1, nothing],
  [
    "a text",
    "10.0.0.1:80",
    1,
    'must be a list of endpoints or an object with endpoints, serviceConfig, got "10.0.0.1:80"',
  ],
  ["no list", "serviceConfig: {}\nendpoints:\n", 2, "endpoints must be a list, got nothing"],
  ["an unknown field", "- address: a:1\n  wieght: 3", 2, `[0].wieght is unknown; there are ${fields}`],
  ["an unknown field above", "endpoints: []\nport: 80", 2, "port is unknown; there are endpoints, serviceConfig"],
  ["a bare address", "- a:1\n- a:2", 1, `[0] must be an object with ${fields}, got "a:1"`],
  ["no address", "- weight: 1", 1, "[0].address must be host:port, an IPv6 host in brackets, got nothing"],
  ["no port", "- address: a", 1, '[0].address must be host:port, an IPv6 host in brackets, got "a"'],
  ["a port alone", "- address: 80", 1, "[0].address must be host:port, an IPv6 host in brackets, got 80"],
  [
    "an address twice",
    "- address: a:1\n- address: a:1\n",
    2,
    '[1].address must be another than that of entry 0, got "a:1"',
  ],
  [
    "a weight that is text",
    'endpoints:\n- address: a:1\n  weight: "3"',
    3,
    'endpoints[0].weight must be a number from 0 to 4294967295, got "3"',
  ],
  ["a weight below 0", "- {address: a:1, weight: -1}", 1, "[0].weight must be a number from 0 to 4294967295, got -1"],
  ["a zone that is a number", "- address: a:1\n  zone: 1", 2, "[0].zone must be text, got 1"],
  ["metadata that is a list", "- address: a:1\n  metadata: []", 2, "[0].metadata must be an object, got a list"],
  [
    "metadata that is no text",
    "- address: a:1\n  metadata:\n    version: 1.0",
    3,
    "[0].metadata.version must be text, got 1",
  ],
  ["a service config in text", "endpoints: []\nserviceConfig: x", 2, 'serviceConfig must be an object, got "x"'],
  [
    "a wrong field in JSON",
    '[\n{"address": "a:1"},\n{"address": "a:1",\n"weight": null}]',
    4,
    "[1].weight must be a number from 0 to 4294967295, got nothing",
  ],
  [
    "half of a JSON file",
    '{\n"endpoints": [',
    2,
    "a text that begins with { must be JSON: Unexpected end of JSON input",
  ],
  [
    "half of a text in a JSON file",
    '[\n{"address": "a',
    2,
    "a text that begins with [ must be JSON: Unterminated string",
  ],
  [
    "JSON with a word too many",
    '\n[\n{"address": "a:1"},\n wrong,\n{"address": "b:1"}\n]',
    4,
    "a text that begins with [ must be JSON: Unexpected token 'w'",
  ],
  [
    "YAML in the clothes of JSON",
    "{endpoints: []}",
    1,
    "a text that begins with { must be JSON: Expected property name or '}'",
  ],
  [
    "a wrong field deep in JSON",
    '{"serviceConfig": {"a": [{"endpoints": "]"}, {}]},\n"endpoints": [{"address": "a:1"},\n{"address": "b:1", "metadata":\n{"a": "\\"", "b":\n1}}]}',
    5,
    "endpoints[1].metadata.b must be text, got 1",
  ],
  [
    "no address in JSON",
    '[\n{"address": "a:1"},\n{}]',
    3,
    "[1].address must be host:port, an IPv6 host in brackets, got nothing",
  ],
  [
    "an unknown field in JSON",
    '{"endpoints": [],\n"port": 80}',
    2,
    "port is unknown; there are endpoints, serviceConfig",
  ],
  [
    "a service config in circles",
    "endpoints: []\nserviceConfig: &a\n  self: *a",
    3,
    "serviceConfig must not contain itself",
  ],
  [
    "metadata in circles",
    "- address: a:1\n  metadata: &a\n    self: *a",
    3,
    "[0].metadata.self must be text, got an object",
  ],
  ["half of a string", '- address: "a', 1, 'Missing closing "quote'],
  ["a key twice", "endpoints: []\nendpoints: []", 2, "Map keys must be unique"],
  ["two documents", "- address: a:1\n---\n[]", 2, "there must be one document in it, got several"],
  ["a wrong alias", "- *none", undefined, "Unresolved alias (the anchor must be set before the alias): none"],
] as const) {
  test(`${what} is refused with its line and its field`, async () => {
    const error = await parseContent(text).then(
      () => assert.fail("it was taken"),
      (cause) => cause,
    );
    assert.deepEqual([error.name, error.line, error.message], ["ContentError", line, message]);
  });
}

test("a byte order mark says nothing", async () => {
  for (const text of [
    "- address: a:1",
    '[{"address": "a:1"}]',
    "endpoints:\n- address: a:1",
    '{"endpoints": [{"address": "a:1"}]}',
  ]) {
    const { endpoints } = await parseContent(`\u{feff}${text}`);
    assert.deepEqual(
      endpoints.map(({ id }) => id),
      ["a:1"],
      text,
    );
  }
});

test("JSON that is half-written, wrong or marked is never read as YAML, which takes seconds when it is long", async () => {
  const entries = Array.from({ length: 10_000 }, (_, n) => ({ address: `10.0.${n >> 8}.${n & 255}:80` }));
  const good = JSON.stringify(entries);
  const refused = (text: string) =>
    parseContent(text).then(
      () => assert.fail("it was taken"),
      ({ message }) => message,
    );
  const before = performance.now();
  assert.match(await refused(good.slice(0, -10)), /^a text that begins with \[ must be JSON/);
  assert.match(await refused(`${good.slice(0, -1)},wrong]`), /Unexpected token 'w'$/);
  assert.match(await refused(JSON.stringify([...entries, {}])), /^\[10000\]\.address must be/);
  assert.equal((await parseContent(`\u{feff}${good}`)).endpoints.length, 10_000);
  const tookMs = performance.now() - before;
  assert.ok(tookMs < 1_500, `as YAML each of the four takes that long by itself; all took ${tookMs} ms`);
});
