import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readDocumentOf } from "@grpc-lb/discovery/file/api";
import { configOf, readConfig } from "./read-config.ts";

const read = (value: unknown) => readConfig(value);
const withService = (fields: object) => read({ services: { server: { target: "static:///10.0.0.1:80", ...fields } } });

test("a service needs no more than a target, and has defaults that do not fail calls", () => {
  const server = withService({}).services.get("server");
  assert.deepEqual(server?.route, {
    timeoutMs: undefined,
    retries: undefined,
    hashHeader: undefined,
    envoyPort: undefined,
    envoyAddress: "0.0.0.0",
  });
  assert.ok(server.backend.t === "backend");
  assert.deepEqual(server.backend.sources, [{ target: "static:///10.0.0.1:80", priority: 0 }]);
  assert.deepEqual([server.backend.policy, server.backend.steering.by], [{ t: "round_robin" }, "off"]);
  assert.equal(server.backend.circuitBreaker.maxRequests, 2 ** 32 - 1);
});

test("everything that a service may have is read", () => {
  const { services } = read({
    services: {
      v1: {
        sources: [{ target: "file:///a.yaml" }, { target: "file:///b.yaml", priority: 1 }],
        policy: { ring_hash: { minRingSize: 8 } },
        hashHeader: "User-Id",
        localities: [
          { zone: "a", weight: 3 },
          { zone: "b", priority: 1 },
        ],
        circuitBreaker: { maxRequests: 10 },
        outlierDetection: { interval: "1s", failurePercentage: { threshold: 50 } },
        dropPercent: 0.5,
        steering: { by: "orca", interval: "2s", maxFactor: 2 },
        envoyPort: 30_051,
        envoyAddress: "127.0.0.1",
      },
      v2: { target: "file:///c.yaml", policy: { peak_ewma: { decay: "1s" } }, steering: "lrs" },
      server: { split: { v1: 90, v2: 10 }, timeout: "1.5s", retries: { attempts: 3, on: ["internal", "unavailable"] } },
    },
  });
  const [v1, v2, server] = [...services.values()];
  assert.ok(v1?.backend.t === "backend" && v2?.backend.t === "backend" && server?.backend.t === "split");
  assert.deepEqual(v1.backend.policy, { t: "ring_hash", minRingSize: 8, maxRingSize: 4_096 });
  assert.deepEqual([v1.route.hashHeader, v1.route.envoyPort, v1.route.envoyAddress], ["user-id", 30_051, "127.0.0.1"]);
  assert.deepEqual(
    [...v1.backend.localities],
    [
      ["a", { weight: 3, priority: 0 }],
      ["b", { weight: undefined, priority: 1 }],
    ],
  );
  assert.deepEqual(v1.backend.outlierDetection?.failurePercentage, {
    threshold: 50,
    minimumHosts: 5,
    requestVolume: 50,
  });
  assert.deepEqual(v1.backend.steering, { by: "orca", intervalMs: 2_000, minFactor: 0.1, maxFactor: 2 });
  assert.deepEqual(v2.backend.policy, { t: "custom", name: "peak_ewma", config: { decay: "1s" } });
  assert.deepEqual(server.backend.parts, [
    { service: "v1", weight: 90 },
    { service: "v2", weight: 10 },
  ]);
  assert.deepEqual(server.route.retries, {
    attempts: 3,
    on: ["internal", "unavailable"],
    baseBackoffMs: 25,
    maxBackoffMs: 250,
  });
});

const target = "static:///10.0.0.1:80";
const wrongConfigs: readonly [unknown, string | RegExp][] = [
  [null, "the file is empty; it must have services"],
  [[], "must be an object, got a list"],
  [
    { services: { a: { target, policy: { round_robin: { shuffle: true } } } } },
    "services.a.policy.round_robin.shuffle is unknown; there are none",
  ],
  [{ service: {} }, "service is unknown; did you mean services?"],
  [{ clusters: {} }, "clusters is unknown; there are services"],
  [{ services: [] }, "services must be an object of services by name, got a list"],
  [{ services: { a: { taget: target } } }, "services.a.taget is unknown; did you mean target?"],
  [{ services: { a: { spilt: { b: 1 }, timeout: "1s" } } }, "services.a.spilt is unknown; did you mean split?"],
  [
    { services: { a: { target, outlierDetction: {} } } },
    "services.a.outlierDetction is unknown; did you mean outlierDetection?",
  ],
  [{ services: { a: { target, steering: "ocra" } } }, 'services.a.steering must be one of off, orca, lrs, got "ocra"'],
  [
    { services: { a: { split: { b: "90" } } } },
    'services.a.split.b must be a whole number from 0 to 1000000, got "90"',
  ],
  [
    { services: { a: { target, localities: [{ zone: "x" }, { zone: "x" }] } } },
    "services.a.localities[1].zone is given twice",
  ],
  [{ services: {} }, "services must have at least one service"],
  [
    { services: { "a b": { target } } },
    'services.a b must be named by letters, digits, "-", "_" and ".", with or without a port',
  ],
  [{ services: { a: {} } }, "services.a must have one of target, sources, split, got none"],
  [
    { services: { a: { target, split: { b: 1 } } } },
    "services.a must have one of target, sources, split, got target and split",
  ],
  [{ services: { a: { sources: [] } } }, "services.a.sources must have at least one source"],
  [{ services: { a: { sources: [{ target: "consul://x" }] } } }, /^services\.a\.sources\[0\]\.target is not valid: /],
  [{ services: { a: { target: "kubernetes" } } }, /^services\.a\.target is not valid: .*kubernetes/],
  [{ services: { a: { target, timeout: 5 } } }, "services.a.timeout must be a duration such as 300ms, 5s or 2m, got 5"],
  [{ services: { a: { target, timeout: "0s" } } }, 'services.a.timeout must be of at least 1ms, got "0s"'],
  [
    { services: { a: { target, retries: { on: ["refused"] } } } },
    'services.a.retries.on[0] must be one of cancelled, deadline-exceeded, internal, resource-exhausted, unavailable, got "refused"',
  ],
  [
    { services: { a: { target, policy: "pick_frist" } } },
    /^services\.a\.policy must be one of round_robin, .*got "pick_frist"$/,
  ],
  [
    { services: { a: { target, policy: { least_request: { choiceCount: 1 } } } } },
    "services.a.policy.least_request.choiceCount must be a whole number from 2 to 100, got 1",
  ],
  [
    { services: { a: { target, policy: "maglev" } } },
    "services.a.policy maglev needs hashHeader, the header that it hashes",
  ],
  [
    { services: { a: { target, steering: { by: "on" } } } },
    'services.a.steering.by must be one of off, orca, lrs, got "on"',
  ],
  [{ services: { a: { split: { b: 0 } } } }, "services.a.split must have a weight above 0"],
  [{ services: { a: { split: { b: 1 } } } }, "services.a.split.b must be a service of this configuration"],
  [{ services: { a: { split: { b: 1 } }, b: { split: { a: 1 } } } }, "services.a.split.b must not be split itself"],
  [
    { services: { a: { split: { b: 1 }, policy: "random" }, b: { target } } },
    "services.a.policy does not go with split; give it to the parts",
  ],
  ...["localities", "outlierDetection", "circuitBreaker", "dropPercent", "steering"].map((field): [unknown, string] => [
    { services: { a: { split: { b: 1 }, [field]: {} }, b: { target } } },
    `services.a.${field} does not go with split; give it to the parts`,
  ]),
  [{ services: { a: { target, envoyAddress: "::" } } }, "services.a.envoyAddress has no effect without envoyPort"],
  ...["a b", "a:b", "ä"].map((hashHeader): [unknown, RegExp] => [
    { services: { a: { target, policy: "ring_hash", hashHeader } } },
    /^services\.a\.hashHeader must be a header's name of letters, .*, got another text$/,
  ]),
  [{ services: { a: { target, policy: "ring_hash", hashHeader: "a-Bin" } } }, /got a binary header$/],
  [
    { services: { a: { target, hashHeader: "user" } } },
    "services.a.hashHeader has no effect with policy round_robin; ring_hash and maglev hash it",
  ],
  [
    { services: { a: { split: { b: 1 }, hashHeader: "user" }, b: { target } } },
    "services.a.hashHeader has no effect with the policies of its parts; ring_hash and maglev hash it",
  ],
  ...[{}, { interval: "1s" }].map((outlierDetection): [unknown, string] => [
    { services: { a: { target, outlierDetection } } },
    "services.a.outlierDetection has no effect without consecutiveErrors, failurePercentage or successRate",
  ]),
  [
    { services: { a: { target, envoyPort: 1 }, b: { target, envoyPort: 1 } } },
    "services.b.envoyPort must differ from that of a",
  ],
  [
    { services: { a: { target, envoyPort: 1, envoyAddress: "localhost" } } },
    "services.a.envoyAddress must be an IP address",
  ],
  [
    { services: { a: { target, outlierDetection: { interval: "10s", ejection: 1 } } } },
    /^services\.a\.outlierDetection\.ejection is unknown; there are baseEjectionTime, /,
  ],
];

test("what is not valid is named by its path, with what is allowed, and secrets are not repeated", () => {
  for (const [value, message] of wrongConfigs) assert.throws(() => read(value), { name: "FieldError", message });
  assert.throws(
    () => withService({ policy: "token=hunter2 secret" }),
    (error: Error) => !error.message.includes("hunter2"),
  );
});

function* readInOneStep(value: unknown) {
  yield;
  return readConfig(value);
}

test("an error in YAML has the line of the field", async () => {
  const text = "services:\n  server:\n    target: static:///10.0.0.1:80\n    timeout: soon\n";
  await assert.rejects(readDocumentOf(Buffer.from(text), readInOneStep), (error: Error & { line?: number }) => {
    assert.deepEqual(
      [error.line, error.message],
      [4, 'services.server.timeout must be a duration such as 300ms, 5s or 2m, got "soon"'],
    );
    return true;
  });
});

test("flags make the same configuration as a file", () => {
  const flags = configOf(new Map([["server", target]]), new Map([["server", 30_051]]), "orca");
  assert.deepEqual(flags, read({ services: { server: { target, envoyPort: 30_051, steering: "orca" } } }));
});

test("the configuration of the README is read", async () => {
  const readme = readFileSync(`${import.meta.dirname}/../../README.md`, "utf8");
  const [, yaml = ""] = /```yaml\n(services:.*?)```/s.exec(readme) ?? [];
  const { services } = await readDocumentOf(Buffer.from(yaml), readInOneStep);
  assert.deepEqual([...services.keys()], ["server-v1", "server-v2", "server"]);
  assert.equal(services.get("server")?.backend.t, "split");
});
