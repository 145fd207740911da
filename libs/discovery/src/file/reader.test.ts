import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { endpointAt } from "../../testing/endpoint.ts";
import { maxFileBytes, maxYamlLength, readContent } from "./reader.ts";

const parseContent = (text: string) => readContent(Buffer.from(text));

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

test("the file in the README is read", async () => {
  const readme = readFileSync(`${import.meta.dirname}/README.md`, "utf8");
  const yaml = /```yaml\n(endpoints:.*?)```/s.exec(readme)?.[1] ?? "";
  const { endpoints, serviceConfig } = await parseContent(yaml);
  assert.deepEqual(
    endpoints.map(({ id, weight }) => [id, weight]),
    [
      ["10.0.0.1:50051", 3],
      ["10.0.0.2:50051", 1],
      ["10.0.0.3:50051", 1],
    ],
  );
  assert.equal(serviceConfig, '{"loadBalancingConfig":[{"least_request":{"choiceCount":2}}]}');
});

test("an empty list is an empty set", async () => {
  for (const text of ["[]", "[]\n", "endpoints: []", '{"endpoints": []}', "# none\n[]"]) {
    assert.deepEqual((await parseContent(text)).endpoints, [], text);
  }
});

const nothing = "the file is empty; an empty list is written []";
const top = "must be a list of endpoints or an object with endpoints, serviceConfig, got";
const fields = "address, host, port, weight, zone, metadata";
const address = "must be host:port, an IPv6 host in brackets, got";
const weight = "must be a number from 0 to 4294967295, got";
for (const [what, text, line, message] of [
  ["an empty file", "", 1, nothing],
  ["comments alone", "# soon\n", 1, nothing],
  ["text", "10.0.0.1:80", 1, `${top} text`],
  ["an object of something else", "apiVersion: v1\nkind: Secret", 1, `${top} an object without endpoints`],
  ["no list", "serviceConfig: {}\nendpoints:\n", 2, "endpoints must be a list, got nothing"],
  ["an unknown field", "- address: a:1\n  colour: red", 2, `[0].colour is unknown; there are ${fields}`],
  ["a misspelt field", "- address: a:1\n  wieght: 3", 2, "[0].wieght is unknown; did you mean weight?"],
  ["an unknown field above", "endpoints: []\nport: 80", 2, "port is unknown; there are endpoints, serviceConfig"],
  ["text that is not an address", "- a:1\n- hello", 2, `[1] ${address} text`],
  [
    "a number",
    "- a:1\n- 80",
    2,
    "[1] must be host:port, or an object with address, weight, zone, metadata, got a number",
  ],
  ["no address", "- weight: 1", 1, `[0].address ${address} nothing`],
  ["no port", "- address: a", 1, `[0].address ${address} "a"`],
  ["a port alone", "- address: 80", 1, `[0].address ${address} 80`],
  ["a host without a port", "- host: a", 1, "[0].port must be a number from 1 to 65535, got nothing"],
  ["a port that is text", '- host: a\n  port: "80"', 2, '[0].port must be a number from 1 to 65535, got "80"'],
  ["a port beyond 65535", "- host: a\n  port: 1e5", 2, "[0].port must be a number from 1 to 65535, got 100000"],
  ["a port without a host", "- port: 80", 1, "[0].host must be an IP address or a host name, got nothing"],
  ["a host that is none", "- {host: a b, port: 80}", 1, '[0].host must be an IP address or a host name, got "a b"'],
  ["address and host", "- {address: a:1, host: a}", 1, "[0].address must not stand beside host and port"],
  ["an address twice", "- address: a:1\n- address: a:1\n", 2, "[1] must not repeat the address a:1, which entry 0 has"],
  [
    "an IPv6 address in two spellings",
    '- "[fd00::1]:1"\n- "[FD00:0::1]:1"\n',
    2,
    "[1] must not repeat the address [fd00::1]:1, which entry 0 has",
  ],
  ["a weight that is text", 'endpoints:\n- address: a:1\n  weight: "3"', 3, `endpoints[0].weight ${weight} "3"`],
  ["a weight below 0", "- {address: a:1, weight: -1}", 1, `[0].weight ${weight} -1`],
  ["a zone that is a number", "- address: a:1\n  zone: 1", 2, "[0].zone must be text, got 1"],
  ["metadata that is a list", "- address: a:1\n  metadata: []", 2, "[0].metadata must be an object, got a list"],
  [
    "metadata that is not text",
    "- address: a:1\n  metadata:\n    version: 1.0",
    3,
    "[0].metadata.version must be text, got 1",
  ],
  ["a service config in text", "endpoints: []\nserviceConfig: x", 2, "serviceConfig must be an object, got text"],
  [
    "a wrong field in JSON",
    '[\n{"address": "a:1"},\n{"address": "a:1",\n"weight": null}]',
    4,
    `[1].weight ${weight} nothing`,
  ],
  ["half of a JSON file", '{\n"endpoints": [', 2, "not valid JSON: Unexpected end of JSON input"],
  ["half of a string in JSON", '[\n{"address": "a', 2, "not valid JSON: Unterminated string"],
  [
    "JSON with a word too many",
    '\n[\n{"address": "a:1"},\n wrong,\n{"address": "b:1"}\n',
    4,
    "not valid JSON: Unexpected token 'w'",
  ],
  [
    "half of YAML in flow style",
    "{endpoints: [\n  a:1,",
    2,
    "not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
  ],
  [
    "a wrong field deep in JSON",
    '{"serviceConfig": {"a": [{"endpoints": "]"}, {}]},\n"endpoints": [{"address": "a:1"},\n{"address": "b:1", "metadata":\n{"a": "\\"", "b":\n1}}]}',
    5,
    "endpoints[1].metadata.b must be text, got 1",
  ],
  ["no address in JSON", '[\n{"address": "a:1"},\n{}]', 3, `[1].address ${address} nothing`],
  [
    "an unknown field in JSON",
    '{"endpoints": [],\n"port": 80}',
    2,
    "port is unknown; there are endpoints, serviceConfig",
  ],
  [
    "a service config that contains itself",
    "endpoints: []\nserviceConfig: &a\n  self: *a",
    3,
    "serviceConfig must not contain itself, or be nested thousands of levels deep",
  ],
  [
    "metadata that contain themselves",
    "- address: a:1\n  metadata: &a\n    self: *a",
    3,
    "[0].metadata.self must be text, got an object",
  ],
  ["half of a string", '- address: "a', 1, 'not valid YAML: Missing closing "quote'],
  ["a key twice", "endpoints: []\nendpoints: []", 2, "a name is given twice"],
  [
    "a key twice in a list",
    "- address: a:1\n- address: a:2\n  metadata:\n    a: b\n    a: c",
    5,
    "[1].metadata has a name twice",
  ],
  ["a name twice", '{"endpoints": [],\n"endpoints": []}', 2, "a name is given twice"],
  [
    "a name twice in a list of JSON",
    '[{"address": "a:1"}, {"metadata": {"b": [{}, {}], "b, }": ""},\n"address": "a:2", "\\u0061ddress": "a:3"}]',
    2,
    "[1] has a name twice",
  ],
  ["two documents", "- address: a:1\n---\n[]", 2, "the file must have one document, got several"],
  ["a wrong alias", "- *none", undefined, "not valid YAML: Unresolved alias (the anchor must be set before the alias)"],
  ["a wrong target of file_sd", "- targets:\n  - a:1\n  - b", 3, `[0].targets[1] ${address} text`],
  ["wrong labels of file_sd", "- targets: [a:1]\n  labels: {n: 1}", 2, "[0].labels.n must be text, got 1"],
  [
    "an unknown field of file_sd",
    "- targets: [a:1]\n  source: x",
    2,
    "[0].source is unknown; there are targets, labels",
  ],
  ["two resources of EDS", "resources: [{}, {}]", 1, "resources must be one ClusterLoadAssignment, got 2"],
  [
    "EDS with a pipe",
    "cluster_name: c\nendpoints:\n- lb_endpoints:\n  - endpoint:\n      address:\n        pipe: {path: /x}",
    6,
    "endpoints[0].lb_endpoints[0].endpoint.address.socketAddress must be an object with address and portValue, got nothing",
  ],
] as const) {
  test(`${what} is refused, with line and field`, async () => {
    const error = await parseContent(text).then(
      () => assert.fail("it was taken"),
      (cause) => cause,
    );
    assert.deepEqual([error.name, error.line, error.message], ["ContentError", line, message]);
  });
}

test("a byte order mark is ignored", async () => {
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

test("an entry may be host:port, or have host and port as fields, in JSON and in both styles of YAML", async () => {
  const want = [endpointAt("10.0.0.1:80"), endpointAt("[fd00::1]:81", { weight: 3 })];
  for (const text of [
    '["10.0.0.1:80", {"host": "fd00::1", "port": 81, "weight": 3}]',
    "- 10.0.0.1:80\n- host: fd00::1\n  port: 81\n  weight: 3\n",
    '[10.0.0.1:80, {host: "fd00::1", port: 81, weight: 3}]',
    '{endpoints: [10.0.0.1:80, {host: "fd00::1", port: 81, weight: 3}]}',
    '[10.0.0.1:80, {host: "fd00::1", port: 81, weight: 3},]',
  ]) {
    assert.deepEqual((await parseContent(text)).endpoints, want, text);
  }
});

test("a target that is in several groups of file_sd is one endpoint, with the labels of the first", async () => {
  const text = '[{"targets": ["a:1", "b:1"], "labels": {"job": "x"}}, {"targets": ["b:1", "c:1", "c:1"]}]';
  const { endpoints } = await parseContent(text);
  assert.deepEqual(
    endpoints.map(({ id, metadata }) => [id, metadata]),
    [
      ["a:1", { job: "x" }],
      ["b:1", { job: "x" }],
      ["c:1", {}],
    ],
  );
});

test("Prometheus' file_sd is read: each target is an endpoint, with the labels of its group as metadata", async () => {
  const text = '[{"targets": ["10.0.0.1:80", "b:81"], "labels": {"env": "prod"}}, {"targets": ["c:82"]}]';
  assert.deepEqual((await parseContent(text)).endpoints, [
    endpointAt("10.0.0.1:80", { metadata: { env: "prod" } }),
    endpointAt("b:81", { metadata: { env: "prod" } }),
    endpointAt("c:82"),
  ]);
});

test("of two endpoints of Envoy's EDS with the same address the first is used", async () => {
  const endpoint = { address: { socketAddress: { address: "10.0.0.1", portValue: 80 } } };
  const endpoints = [1, 2].map((weight) => ({ lbEndpoints: [{ endpoint, loadBalancingWeight: weight }] }));
  const read = await parseContent(JSON.stringify({ clusterName: "c", endpoints }));
  assert.deepEqual(read.endpoints, [endpointAt("10.0.0.1:80", { weight: 1 })]);
});

test("Envoy's EDS is read, in JSON and in the names of the proto, with weight, zone and the lowest priority in use", async () => {
  const json = {
    versionInfo: "1",
    resources: [
      {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        clusterName: "c",
        endpoints: [
          {
            locality: { region: "r", zone: "a" },
            loadBalancingWeight: 1,
            lbEndpoints: [
              {
                endpoint: {
                  hostname: "one",
                  address: { socketAddress: { address: "10.0.0.1", portValue: 80 } },
                  additionalAddresses: [{ address: { socketAddress: { address: "fd00::1", portValue: 80 } } }],
                },
                loadBalancingWeight: 3,
              },
              {
                healthStatus: "DRAINING",
                endpoint: { address: { socketAddress: { address: "10.0.0.2", portValue: 80 } } },
              },
            ],
          },
          {
            priority: 1,
            lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "10.0.0.3", portValue: 80 } } } }],
          },
        ],
      },
    ],
  };
  const one = endpointAt("10.0.0.1:80", {
    addresses: [
      { host: "10.0.0.1", port: 80 },
      { host: "fd00::1", port: 80 },
    ],
    weight: 3,
    zone: "a",
    metadata: { hostname: "one" },
  });
  assert.deepEqual((await parseContent(JSON.stringify(json))).endpoints, [one]);
  const yaml = `
cluster_name: c
endpoints:
- lb_endpoints:
  - health_status: UNHEALTHY
    endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } }
- priority: 1
  lb_endpoints:
  - endpoint: { address: { socket_address: { address: 10.0.0.3, port_value: 80 } } }
    load_balancing_weight: 2
- priority: 2
  lb_endpoints:
  - endpoint: { address: { socket_address: { address: 10.0.0.4, port_value: 80 } } }
`;
  assert.deepEqual((await parseContent(yaml)).endpoints, [endpointAt("10.0.0.3:80", { weight: 2 })]);
  assert.deepEqual((await parseContent('{"clusterName": "c"}')).endpoints, []);
});

/** The message with which a text is refused, and the longest time that it kept the event loop from its turn, in ms of CPU. */
async function refuse(text: string | Uint8Array): Promise<{ message: string; longestMs: number }> {
  let [longestMs, isDone] = [0, false];
  let before = process.threadCpuUsage();
  const tick = () => {
    const { user, system } = process.threadCpuUsage(before);
    longestMs = Math.max(longestMs, (user + system) / 1_000);
    before = process.threadCpuUsage();
    if (!isDone) setImmediate(tick);
  };
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  before = process.threadCpuUsage();
  setImmediate(tick);
  const message = await readContent(bytes).then(
    ({ endpoints }) => `${endpoints.length} endpoints`,
    ({ name, message }) => {
      assert.equal(name, "ContentError", message);
      return message;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  isDone = true;
  return { message, longestMs };
}

const entries = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ address: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:80`, weight: 3 }));
const yamlEntries = (count: number) =>
  entries(count)
    .map(({ address }) => `- address: ${address}\n  weight: 3\n`)
    .join("");
const names = (count: number) => Array.from({ length: count }, (_, n) => `k${n}`);
const withNames = (count: number) => Object.fromEntries(names(count).map((name) => [name, "v"]));
const socketAt = (address: string) => ({ socketAddress: { address, portValue: 80 } });
/** A document of Envoy with so many localities of one endpoint, which has so many more addresses. */
const edsOf = (count: number, more = 0) =>
  JSON.stringify({
    clusterName: "c",
    endpoints: entries(count).map(({ address }) => {
      const [host = ""] = address.split(":");
      const additionalAddresses = Array.from({ length: more }, () => ({ address: socketAt(host) }));
      return { lbEndpoints: [{ endpoint: { address: socketAt(host), additionalAddresses } }] };
    }),
  });
const yamlLimit = /^YAML must have at most 24000 names, values and punctuation marks; write it as JSON$/;
const tooMany = "must be at most 10000 endpoints, got 50000";

for (const [what, create, want] of [
  ["10 000 endpoints in JSON", () => JSON.stringify(entries(10_000)), /^10000 endpoints$/],
  ["50 000 endpoints in JSON", () => JSON.stringify(entries(50_000)), new RegExp(`^${tooMany}$`)],
  ["3 400 endpoints in YAML", () => yamlEntries(3_400), /^3400 endpoints$/],
  [
    "10 000 addresses in YAML",
    () =>
      entries(10_000)
        .map(({ address }) => `- ${address}`)
        .join("\n"),
    /^10000 endpoints$/,
  ],
  [
    "10 000 addresses in YAML in flow style",
    () => `[${entries(10_000).map(({ address }) => address)}]`,
    /^10000 endpoints$/,
  ],
  ["50 000 endpoints in YAML", () => yamlEntries(50_000), /^YAML must be at most 256 KiB; write a larger list as JSON/],
  ["a file of 5 MiB", () => new Uint8Array(5 * 2 ** 20).fill(32), /^the file must be at most 2 MiB$/],
  ["a string of 10 MB", () => `["${"a".repeat(1e7)}"]`, /^the file must be at most 2 MiB$/],
  ["a string of 2 MB", () => `["${"a".repeat(2e6)}"]`, /^\[0\] must be host:port, an IPv6 host in brackets, got text$/],
  ["an address of 2 MB", () => `[{"address": "${"a".repeat(2e6)}"}]`, /^\[0\]\.address must be host:port.*…$/],
  ["a field of 2 MB", () => `[{"address": "a:1", "${"a".repeat(2e6)}": 1}]`, /^\[0\]\.a{60}… is unknown/],
  ["2 MB of brackets in JSON", () => `[${"[".repeat(2e6)}`, /^nested more than 100 levels deep$/],
  ["2 MB of brackets in a string", () => `["${"[".repeat(2e6)}"]`, /^\[0\] must be host:port/],
  [
    "half of a JSON file of 2 MB",
    () => `[${`1,${" ".repeat(10)}\n`.repeat(0.16e6)}`,
    /^not valid JSON: Unexpected end of JSON input$/,
  ],
  ["256 KiB of nested lists in YAML", () => "- ".repeat(2 ** 17), /^nested more than 100 levels deep$/],
  [
    "half of a long JSON file",
    () => JSON.stringify(entries(40_000)).slice(0, -10),
    /^not valid JSON: Unterminated string$/,
  ],
  [
    "a long JSON file with a word too many",
    () => `${JSON.stringify(entries(40_000)).slice(0, -1)},wrong]`,
    /Unexpected token 'w'$/,
  ],
  ["a long JSON file with a wrong entry", () => JSON.stringify([...entries(9_999), {}]), /^\[9999\]\.address must be/],
  [
    "a JSON file of 2 MB with a wrong end",
    () => `[${`1,${" ".repeat(10)}\n`.repeat(0.16e6)}w]`,
    /^not valid JSON: Unexpected token 'w'$/,
  ],
  [
    "a JSON file of 2 MB with a wrong field at its end",
    () => `{"serviceConfig": {"a": [${`1,${" ".repeat(10)}\n`.repeat(0.16e6)}1]}, "endpoints": 1}`,
    /^endpoints must be a list/,
  ],
  ["an object of many names in JSON", () => JSON.stringify({ a: withNames(100_000) }), /more than 1000 names$/],
  [
    "many objects of other names in JSON",
    () => JSON.stringify(names(95_000).map((name) => ({ [name]: 1 }))),
    /^more than 10000 different names$/,
  ],
  ["many lists in JSON", () => `[${"[],".repeat(690_000)}[]]`, /^more than 200000 values$/],
  ["an EDS document of many localities", () => edsOf(14_000), /^must be at most 10000 endpoints, got 14000$/],
  ["an EDS document of many endpoints", () => edsOf(10_000), /^10000 endpoints$/],
  ["an EDS document of one endpoint at many addresses", () => edsOf(1, 20_000), /must be fewer than 10000 addresses/],
  [
    "many names in YAML",
    () =>
      names(20_000)
        .map((name) => `${name}: 1\n`)
        .join(""),
    yamlLimit,
  ],
  [
    "many names in a YAML object",
    () =>
      names(1_001)
        .map((name) => `${name}: 1\n`)
        .join(""),
    /more than 1000 names$/,
  ],
  ["one name many times in YAML", () => "k: 1\n".repeat(50_000), yamlLimit],
  ["objects as names in YAML", () => `{${"{}: {}, ".repeat(32_000)}}`, /more than 1000 names$/],
  ["names with a question mark in YAML", () => "? a\n".repeat(60_000), yamlLimit],
  ["merges in YAML", () => `a: &a {x: 1}\n${"b:\n  <<: *a\n".repeat(19_000)}`, /^YAML must have at most 500 aliases/],
  [
    "aliases in YAML",
    () => `a: [${names(900).map((name) => `&${name} x`)}]\nb: [${names(900).map((name) => `*${name}`)}]`,
    /^YAML must have at most 500 aliases; write it as JSON$/,
  ],
  ["missing commas in YAML", () => `[a, ${'"x" '.repeat(65_000)}]`, yamlLimit],
  ["a fault in each line of YAML", () => "- @\n".repeat(11_000), /^not valid YAML: Plain value cannot start/],
  [
    "80 000 wrong escapes in YAML",
    () => `- [${`"${"\\q".repeat(1_000)}",`.repeat(80)}]`,
    /^not valid YAML: invalid escape/,
  ],
  ["comments in YAML", () => "#\n".repeat(130_000), /^YAML must have at most 100000 indents, line breaks and comments/],
  ["bytes that are not UTF-8", () => Uint8Array.of(0x5b, 0xff, 0x5d), /^the file is not valid UTF-8$/],
] as const) {
  test(`${what}: a clear answer, and no step takes 100 ms`, async () => {
    const text = create();
    const { message, longestMs } = await refuse(text);
    assert.match(message, want);
    assert.ok(longestMs < 100, `a step took ${longestMs} ms`);
  });
}

test("errors do not repeat the text of a file that is not one of endpoints", async () => {
  for (const text of [
    "hunter2-secret",
    "token: hunter2-secret",
    "hunter2-secret: 1",
    "- hunter2-secret",
    "- token: hunter2-secret",
    "- hunter2-secret: 1",
    '{"token": "hunter2-secret"}',
    '["hunter2-secret"]',
    '["hunter2-secret", "unterminated',
    '{"hunter2-secret": ',
    "[hunter2-secret",
    "{hunter2-secret",
    "a: b: hunter2-secret",
    "*hunter2-secret",
    "- !hunter2-secret a",
    "'hunter2-secret",
    "%hunter2-secret\n---\na",
    "%YAML hunter2-secret\n---\na",
    "!hunter2-secret! a",
    "!<hunter2-secret a",
    "!!hunter2-secret a",
    "a: &hunter2-secret &hunter2-secret b",
    "[a, b: hunter2-secret, c]]hunter2-secret",
    '"a" hunter2-secret',
    "&hunter2-secret\n- a\n*hunter2-secret",
    "@hunter2-secret",
    "a: |hunter2-secret\n  b",
    '"\\qhunter2-secret"',
    "- targets: [hunter2-secret]",
    "endpoints: hunter2-secret",
    "endpoints: [hunter2-secret]",
    "endpoints: [{hunter2-secret: 1}]",
    "endpoints: []\nserviceConfig: hunter2-secret",
    "-----BEGIN PRIVATE KEY-----\nhunter2-secret\n-----END PRIVATE KEY-----\n",
    "DB_PASSWORD=hunter2-secret\n",
  ]) {
    const { message } = await refuse(text);
    assert.ok(!/hunter2|secret/.test(message), `${text} -> ${message}`);
  }
});

test("limits are those of the README", () => {
  assert.deepEqual([maxFileBytes, maxYamlLength], [2 * 1_048_576, 262_144]);
});
