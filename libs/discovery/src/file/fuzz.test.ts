import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import { assertValidEndpoint } from "../../testing/endpoint.ts";
import { anyText, assertBounded, mutated } from "../../testing/fuzz.ts";
import { readContent } from "./reader.ts";

/** Checks what is read of a text; the message of the error for one that is refused. */
async function read(text: string | Uint8Array): Promise<string | undefined> {
  try {
    const { endpoints, serviceConfig } = await readContent(typeof text === "string" ? Buffer.from(text) : text);
    for (const endpoint of endpoints) assertValidEndpoint(endpoint);
    assert.ok(serviceConfig === undefined || typeof JSON.parse(serviceConfig) === "object");
    return undefined;
  } catch (error) {
    const { name, message, line } = error as Error & { line?: number };
    assert.equal(name, "ContentError", message);
    assert.ok(message.length < 500, message);
    assert.ok(line === undefined || (Number.isInteger(line) && line >= 1), `line ${line}`);
    return message;
  }
}

/** Values that fields of endpoints may have, right and wrong ones. */
const leaf = fc.oneof(
  fc.constantFrom(
    "10.0.0.1:80",
    "[::1]:80",
    "fd00::1",
    "host",
    80,
    0,
    -1,
    1e308,
    Number.MAX_SAFE_INTEGER,
    null,
    true,
    "",
  ),
  anyText(10),
  fc.double({ noNaN: true }),
);
const name = fc.constantFrom(
  ...["address", "host", "port", "weight", "zone", "metadata", "targets", "labels", "endpoints", "serviceConfig"],
  ...["resources", "clusterName", "lbEndpoints", "lb_endpoints", "endpoint", "socketAddress", "portValue", "priority"],
  ...["locality", "healthStatus", "loadBalancingWeight", "additionalAddresses", "hostname", "__proto__"],
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

const examples = fc.constantFrom(
  '[{ "address": "10.0.0.1:80", "weight": 3, "zone": "a", "metadata": { "podName": "p" } }, "b:1"]',
  '{"endpoints": [{"host": "fd00::1", "port": 80}], "serviceConfig": {"a": [1, "x"]}}',
  "endpoints:\n- address: 10.0.0.1:80\n  weight: 3\n  metadata: { podName: p }\n- &a b:1\nserviceConfig:\n  a: [1, x]\n",
  '[{"targets": ["a:80"], "labels": {"env": "prod"}}]',
  '{"clusterName": "c", "endpoints": [{"locality": {"zone": "a"}, "lbEndpoints": [{"endpoint": {"address": {"socketAddress": {"address": "10.0.0.1", "portValue": 80}}}}]}]}',
);

// The YAML library is loaded first: on a machine with much load that takes longer than a property may.
before(() => read("- a:1"));

test("any bytes are endpoints, or are refused", async () => {
  await assertBounded(
    fc.asyncProperty(
      fc.oneof(anyText(200), fc.uint8Array({ maxLength: 100 })),
      async (text) => void (await read(text)),
    ),
    3_000,
  );
});

test("any JSON, and values of any kind in the fields that have a meaning, are endpoints or are refused", async () => {
  await assertBounded(
    fc.asyncProperty(fc.oneof(fc.jsonValue(), value), async (any) => void (await read(JSON.stringify(any) ?? ""))),
    5_000,
  );
});

test("files in which some characters are wrong are endpoints or are refused", async () => {
  await assertBounded(
    fc.asyncProperty(mutated(examples), async (text) => void (await read(text))),
    3_000,
  );
});

test("text of a file that is not one of endpoints is never repeated", async () => {
  const secret = "hunter2-S3CRET";
  const document = fc.constantFrom(
    secret,
    `token: ${secret}`,
    `{"token": "${secret}"}`,
    `["${secret}"]`,
    `- ${secret}\n- b`,
    `${secret}: 1\nb: c`,
    `data:\n  password: "${secret}"\n  x: |\n    ${secret}\n`,
    `KEY=${secret}\nOTHER='${secret}'\n`,
  );
  await assertBounded(
    fc.asyncProperty(mutated(document), async (text) => {
      const message = await read(text);
      for (const piece of ["hunter2", "S3CRET"])
        assert.ok(!message?.includes(piece), `${JSON.stringify(text)} -> ${message}`);
    }),
    3_000,
  );
});
