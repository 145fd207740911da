import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServiceDefinition, status } from "@grpc/grpc-js";
import { call, type EchoHandlers, echoService, kinds, Rig } from "../../testing/index.ts";
import { createRetries, type RetryOptions } from "./retries.ts";
import { retryableMethods } from "./retryable-methods.ts";

const say = "grpclb.test.Echo/Say";

test("the defaults are three attempts after UNAVAILABLE, with a throttle", () => {
  assert.deepEqual(createRetries({ methods: [say, "pod.v1.PodService"] }), {
    methodConfig: [
      {
        name: [{ service: "grpclb.test.Echo", method: "Say" }, { service: "pod.v1.PodService" }],
        retryPolicy: {
          maxAttempts: 3,
          initialBackoff: "0.050000s",
          maxBackoff: "1.000000s",
          backoffMultiplier: 2,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
  });
});

for (const kind of kinds) {
  test(`${kind}: grpc-js retries the methods that are named, and no others`, async (t) => {
    const rig = new Rig(t);
    let attempts = 0;
    const failing = (stream: { emit(event: "error", error: object): unknown }, respond?: unknown) => {
      attempts += 1;
      const error = { code: status.UNAVAILABLE, details: "" };
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    };
    const address = await rig.serve({ [kind]: failing } as Partial<EchoHandlers>);
    const path = echoService[kind].path.slice(1);
    for (const [methods, expected] of [
      [[path], 3],
      [["grpclb.test.Echo/Other"], 1],
    ] as const) {
      attempts = 0;
      const retries = createRetries({ methods, initialBackoffMs: 1, maxBackoffMs: 1 });
      const client = rig.client(address, { "grpc.service_config": JSON.stringify(retries) });
      assert.equal((await call(client, kind)).code, status.UNAVAILABLE);
      assert.equal(attempts, expected);
    }
  });
}

test("retries stop when half of the tokens are used", async (t) => {
  const rig = new Rig(t);
  let attempts = 0;
  const address = await rig.serve({
    say: (_call, respond) => {
      attempts += 1;
      respond({ code: status.UNAVAILABLE, details: "" });
    },
  });
  const retries = createRetries({ methods: [say], initialBackoffMs: 1, maxBackoffMs: 1, maxTokens: 4 });
  const client = rig.client(address, { "grpc.service_config": JSON.stringify(retries) });
  for (let n = 0; n < 10; n++) await call(client, "say");
  assert.ok(attempts < 15, `${attempts} attempts of 10 calls`);
});

for (const [wrong, message] of [
  [{ methods: [] }, /methods must have at least one entry/],
  [{ methods: ["GetPod?"] }, /methods must be such as pod\.v1\.PodService\/GetPod .* got "GetPod\?"/],
  [{ methods: [say], maxAttempts: 6 }, /maxAttempts must be an integer from 2 to 5, got 6/],
  [{ methods: [say], maxAttempts: 2.5 }, /maxAttempts must be an integer from 2 to 5, got 2\.5/],
  [{ methods: [say], codes: ["DEADLINE_EXCEEDED"] }, /got "DEADLINE_EXCEEDED": another attempt would not help/],
  [{ methods: [say], codes: [] }, /codes must have at least one entry/],
  [{ methods: [say], maxBackoffMs: 10 }, /maxBackoffMs must be >= initialBackoffMs, got 10 and 50/],
  [{ methods: [say], backoffMultiplier: 0.5 }, /backoffMultiplier must be a number >= 1/],
  [{ methods: [say], tokenRatio: 0 }, /tokenRatio must be a number from 0.001 to 1000, got 0/],
  [{ methods: [say], attempts: 3 }, /unknown option attempts/],
] as const) {
  test(`${JSON.stringify(wrong)} is refused`, () => {
    assert.throws(() => createRetries(wrong as unknown as RetryOptions), message);
  });
}

test("retryable methods are those that the .proto file marks, or those that are chosen, without streams of the client", () => {
  const marked = {
    get: { ...echoService.say, options: { idempotency_level: "NO_SIDE_EFFECTS" } },
    put: { ...echoService.list, options: { idempotency_level: "IDEMPOTENT" } },
    post: { ...echoService.say, path: "/grpclb.test.Echo/Post", options: { idempotency_level: "IDEMPOTENCY_UNKNOWN" } },
    upload: { ...echoService.collect, options: { idempotency_level: "IDEMPOTENT" } },
  } as unknown as ServiceDefinition;
  assert.deepEqual(retryableMethods(marked), [say, "grpclb.test.Echo/List"]);
  assert.deepEqual(retryableMethods(echoService), []);
  assert.deepEqual(
    retryableMethods(echoService, (method) => method !== "List"),
    [say],
  );
});
