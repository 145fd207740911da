import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { validatePolicy } from "./named-policy.ts";
import { registerPolicies } from "./register.ts";

registerPolicies();

type Config = Readonly<Record<string, unknown>>;

const child = [{ round_robin: {} }];

/** Policies and configurations that both languages accept. */
const accepted: readonly [string, Config][] = [
  ["round_robin", {}],
  ["pick_first", { shuffleAddressList: true }],
  ["least_request_experimental", { choiceCount: 3 }],
  ["least_request_experimental", { choiceCount: 20 }],
  ["ring_hash_experimental", { minRingSize: 1024, maxRingSize: 4096 }],
  ["ring_hash_experimental", { requestHashHeader: "x-key" }],
  ["outlier_detection_experimental", { interval: "10s", childPolicy: child }],
  [
    "outlier_detection_experimental",
    {
      interval: "1.5s",
      baseEjectionTime: "30s",
      maxEjectionTime: "300s",
      maxEjectionPercent: 10,
      failurePercentageEjection: { threshold: 85, enforcementPercentage: 100, minimumHosts: 5, requestVolume: 50 },
      successRateEjection: { stdevFactor: 1900, enforcementPercentage: 100, minimumHosts: 5, requestVolume: 100 },
      childPolicy: [{ least_request_experimental: { choiceCount: 2 } }],
    },
  ],
  [
    "weighted_round_robin",
    {
      enableOobLoadReport: true,
      oobReportingPeriod: "10s",
      blackoutPeriod: "0.5s",
      weightUpdatePeriod: "1s",
      errorUtilizationPenalty: 1.5,
    },
  ],
  ["random_subsetting_experimental", { subsetSize: 2, childPolicy: child }],
];

/** Policies and configurations that both languages refuse. */
const refused: readonly [string, Config][] = [
  ["nothing", {}],
  ["least_request_experimental", { choiceCount: 1 }],
  ["least_request_experimental", { choiceCount: 2.5 }],
  ["ring_hash_experimental", { minRingSize: 9000, maxRingSize: 10 }],
  ["ring_hash_experimental", { requestHashHeader: "x-key-bin" }],
  ["outlier_detection_experimental", { maxEjectionPercent: 101, childPolicy: child }],
  ["outlier_detection_experimental", { interval: "-1s", childPolicy: child }],
  ["weighted_round_robin", { errorUtilizationPenalty: -1 }],
  ["weighted_round_robin", { blackoutPeriod: "10" }],
  ["random_subsetting_experimental", { childPolicy: child }],
];

/** Configurations that protobuf's JSON allows (https://protobuf.dev/programming-guides/json/), but not Go's encoding/json. */
const acceptedHereOnly: readonly [string, Config][] = [
  ["least_request_experimental", { choiceCount: "3" }],
  ["ring_hash_experimental", { minRingSize: "1024" }],
];

/** A build takes 3 s with a warm cache of Go, and more than a minute with a cold one: too long for every run of the tests. */
const buildTimeoutMs = 30_000;

/** Builds the program that runs grpc-go's parser. @returns why that is not possible, or its path */
async function buildParser(t: TestContext): Promise<{ readonly missing: string } | { readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-go-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "go-service-config");
  const cwd = new URL("../../testing/go-service-config", import.meta.url).pathname;
  try {
    await promisify(execFile)("go", ["build", "-o", path, "."], { cwd, timeout: buildTimeoutMs });
    return { path };
  } catch (error) {
    const { stderr, code, killed } = error as {
      readonly stderr?: string;
      readonly code?: unknown;
      readonly killed?: boolean;
    };
    const reason = killed
      ? `not within ${buildTimeoutMs} ms; run go build in ${cwd} once`
      : stderr?.split("\n")[0] || code;
    return { missing: `the Go program is not built: ${reason}` };
  }
}

const isAcceptedHere = (name: string, config: Config): boolean => {
  try {
    validatePolicy(name, config);
    return true;
  } catch {
    return false; // the tests of each policy check the reason
  }
};

test("grpc-go's parser accepts and refuses the same configurations", async (t) => {
  const parser = await buildParser(t);
  if ("missing" in parser) return t.skip(parser.missing);
  const all = [...accepted, ...refused, ...acceptedHereOnly];
  const go = spawn(parser.path, { stdio: ["pipe", "pipe", "inherit"] });
  go.stdin.end(
    all.map(([name, config]) => `${JSON.stringify({ loadBalancingConfig: [{ [name]: config }] })}\n`).join(""),
  );
  const verdicts = (await text(go.stdout)).trimEnd().split("\n");
  assert.equal(verdicts.length, all.length);
  for (const [n, [name, config]] of all.entries()) {
    const want = accepted.some(([, each]) => each === config);
    const about = `${name} ${JSON.stringify(config)}`;
    assert.equal(verdicts[n] === "ok", want, `grpc-go, ${about}: ${verdicts[n]}`);
    assert.equal(isAcceptedHere(name, config), want || n >= all.length - acceptedHereOnly.length, `here, ${about}`);
  }
});
