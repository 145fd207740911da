import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { ManualClock } from "@grpc-lb/core/testing";
import { call, kinds, MetricRecorder, Rig, retryConfig } from "../../testing/index.ts";
import { createClientMetrics } from "../metrics/client-metrics.ts";
import { createClientAuth, type TokenSource } from "./client-auth.ts";
import { tokenFromFileIn } from "./token-file.ts";

/** A server that notes the authorization of each call, and fails the first `failures` of them. */
async function start(t: TestContext, token: TokenSource, failures = 0) {
  const rig = new Rig(t);
  const seen: string[] = [];
  const note = (
    stream: { metadata: Metadata; emit(event: "error", error: object): unknown; end?(): void },
    respond?: unknown,
  ) => {
    seen.push(String(stream.metadata.get("authorization")));
    const error = { code: status.UNAVAILABLE, details: "" };
    if (seen.length <= failures) {
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    } else if (typeof respond === "function") respond(null, "x");
    else stream.end?.();
  };
  const address = await rig.serve({ say: note, collect: note, list: note, chat: note } as never);
  const client = rig.client(address, { interceptors: [createClientAuth({ token })], ...retryConfig });
  return { rig, client, seen, address };
}

for (const kind of kinds) {
  test(`${kind}: each attempt of a call has a token of its own`, async (t) => {
    let n = 0;
    const { client, seen } = await start(t, async () => `token-${++n}`, 1);
    assert.equal((await call(client, kind)).code, 0);
    assert.deepEqual(seen, ["Bearer token-1", "Bearer token-2"]);
  });
}

test("credentials of the call itself stay, and metrics count one attempt", async (t) => {
  const { rig, address, seen } = await start(t, () => "one");
  const recorder = new MetricRecorder();
  const client = rig.client(address, {
    interceptors: [createClientMetrics({ meter: recorder.meter }), createClientAuth({ token: () => "one" })],
  });
  const other = credentials.createFromMetadataGenerator((_options, give) => {
    const metadata = new Metadata();
    metadata.set("x-other", "two");
    give(null, metadata);
  });
  assert.equal((await call(client, "say", { options: { credentials: other } })).code, 0);
  assert.deepEqual(seen, ["Bearer one"]);
  assert.equal((await recorder.points("grpc.client.attempt.started"))[0]?.value, 1);
});

for (const [what, source] of [
  ["rejects", () => Promise.reject(new Error("hunter2"))],
  [
    "throws",
    () => {
      throw new Error("hunter2");
    },
  ],
  ["gives what no header can carry", () => "hunter2 with a line end\nin it"],
  ["gives no text", () => undefined as unknown as string],
] as readonly (readonly [string, TokenSource])[]) {
  test(`a source that ${what} fails the call without a word of it`, async (t) => {
    const { client, seen } = await start(t, source);
    const { code, details } = await call(client, "say");
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /no token/);
    assert.doesNotMatch(details, /hunter2/);
    assert.deepEqual(seen, []);
  });
}

function createFile(t: TestContext, text: string) {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-token-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "token");
  const replace = (next: string) => {
    writeFileSync(`${path}.new`, next);
    renameSync(`${path}.new`, path);
  };
  replace(text);
  return { path, replace, remove: () => rmSync(path) };
}

test("a token file is read again when its token is old, once for calls at the same time", async (t) => {
  const clock = new ManualClock();
  const { path, replace } = createFile(t, "one\n");
  const token = tokenFromFileIn(path, { reloadMs: 10_000 }, clock);
  assert.equal(await token(), "one");
  replace("two\n");
  assert.equal(await token(), "one");
  clock.advance(10_000);
  assert.deepEqual(await Promise.all([token(), token()]), ["two", "two"]);
});

test("a token file that is gone leaves its last token for five minutes", async (t) => {
  const clock = new ManualClock();
  const { path, remove } = createFile(t, "one");
  const token = tokenFromFileIn(path, {}, clock);
  await token();
  remove();
  clock.advance(200_000);
  assert.equal(await token(), "one");
  clock.advance(200_000);
  await assert.rejects(async () => token(), /^TokenError: cannot read the token file .*\/token: no such file$/);
});

test("an empty token file is an error that names the file, not its text", async (t) => {
  const { path } = createFile(t, " \n");
  await assert.rejects(async () => tokenFromFileIn(path, {}, new ManualClock())(), /the token file .* is empty/);
});

test("a token is required, and must be a function", () => {
  assert.throws(() => createClientAuth({} as never), /createClientAuth: token must be a function, got nothing/);
  assert.throws(
    () => createClientAuth({ token: "hunter2" } as never),
    (error: Error) => !error.message.includes("hunter2"),
  );
});
