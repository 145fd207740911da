import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { maxDurationMs } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { defineFileSource } from "./source.ts";

/** Watchers of directories that are open: Node does not name those that do not keep the process alive. */
const watchers = new Set<number>();
createHook({
  init: (id, type) => void (type === "FSEVENTWRAP" && watchers.add(id)),
  destroy: (id) => void watchers.delete(id),
}).enable();

async function assertLeftClean(): Promise<void> {
  await assertNothingLeft();
  await until(() => watchers.size === 0, "watchers that are left");
}

const debounceMs = 50;

/** Ends the waits for a stable file by itself, unless `isHolding`. */
class FileClock extends ManualClock {
  isHolding = false;
  settles = 0;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== debounceMs) return super.sleep(ms, signal);
    this.settles += 1;
    if (this.isHolding) return super.sleep(ms, signal);
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Resolves when there were so many waits for a stable file in all. */
  settling(count: number): Promise<void> {
    return until(() => this.settles >= count, `wait ${count}`);
  }
}

const list = (...ports: readonly number[]) => JSON.stringify(ports.map((port) => ({ address: `10.0.0.1:${port}` })));
const at = (...ports: readonly number[]) => ports.map((port) => `10.0.0.1:${port}`);

/** A file in a folder of its own, and a source that learns of changes by events alone, unless a test sets `pollMs`. */
function start(t: TestContext, { text = list(1) as string | null, name = "e.json", pollMs = maxDurationMs } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-file-"));
  const path = join(folder, name);
  if (text !== null) writeFileSync(path, text);
  const clock = new FileClock();
  const source = sourceIn(defineFileSource, { path, pollMs, debounceMs, clock });
  const reader = new SnapshotReader(source);
  t.after(async () => {
    await reader.close();
    assert.equal(clock.sleeping, 0, "waits that are left");
    rmSync(folder, { recursive: true, force: true });
    await assertLeftClean();
  });
  const broken = (message: string) => reader.until(message, ({ error }) => error?.message === message);
  return { folder, path, clock, source, reader, broken };
}

/** Writes a new file and renames it over the old one. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

test("the endpoints of the file are published, and each change: written in place, replaced, removed, restored", async (t) => {
  const { path, reader, broken, source } = start(t);
  const first = await reader.untilAddresses(...at(1));
  assert.deepEqual([first.subject, first.error, first.serviceConfig], [`file ${path}`, undefined, undefined]);
  writeFileSync(path, list(1, 2));
  const second = await reader.untilAddresses(...at(1, 2));
  assert.equal(second.endpoints?.[0], first.endpoints?.[0], "an endpoint that stayed is the same object");
  replace(path, list(2, 3));
  await reader.untilAddresses(...at(2, 3));
  rmSync(path);
  const { endpoints, error } = await broken(`file: read ${path}: no such file`);
  assert.deepEqual([endpoints?.length, error?.code], [2, "notFound"]);
  replace(path, list(4));
  await reader.untilAddresses(...at(4));
  assert.equal(reader.last?.error, undefined);
  replace(path, "[]");
  await reader.untilAddresses();
  assert.equal(reader.last?.error, undefined);
  const { lists, watches, errors, lastSyncAgeMs } = source.stats;
  assert.deepEqual([lists, watches, errors.notFound, lastSyncAgeMs], [6, 1, 1, 0]);
});

test("a broken file leaves the last good set, with one error that names file, line and field, until it is repaired", async (t) => {
  const { path, reader, broken, source } = start(t, { name: "e.yaml", text: "- address: 10.0.0.1:1\n" });
  await reader.untilAddresses(...at(1));
  writeFileSync(path, "- address: 10.0.0.1:1\n- address: 10.0.0.1:2\n  weight: heavy\n");
  const message = `file: ${path}:3: [1].weight must be a number from 0 to 4294967295, got "heavy"`;
  const { endpoints, error } = await broken(message);
  assert.deepEqual([endpoints?.length, error?.code], [1, "invalid"]);
  writeFileSync(path, '- address: "10.0.0.1:1');
  await broken(`file: ${path}:1: not valid YAML: Missing closing "quote`);
  writeFileSync(path, "- address: 10.0.0.1:3\n");
  await reader.untilAddresses(...at(3));
  assert.equal(reader.last?.error, undefined);
  assert.equal(source.stats.errors.invalid, 2);
});

test("without a file there is an error and no set, and a file that appears later is read", async (t) => {
  const { path, reader, broken } = start(t, { text: null });
  const { endpoints } = await broken(`file: read ${path}: no such file`);
  assert.equal(endpoints, undefined);
  replace(path, list(1));
  await reader.untilAddresses(...at(1));
});

test("a service config is published, and removed", async (t) => {
  const { path, reader } = start(t, { text: '{"endpoints": [], "serviceConfig": {"loadBalancingConfig": []}}' });
  await reader.until("a config", ({ serviceConfig }) => serviceConfig === '{"loadBalancingConfig":[]}');
  writeFileSync(path, "[]");
  await reader.until("none", ({ serviceConfig }) => serviceConfig === undefined);
});

test("an editor that empties the file before it writes causes no error", async (t) => {
  const { path, reader, clock } = start(t, { text: `endpoints:\n- address: 10.0.0.1:1\n`, name: "e.yaml" });
  await reader.untilAddresses(...at(1));
  clock.isHolding = true;
  writeFileSync(path, "");
  await clock.settling(1);
  appendFileSync(path, "- address: 10.0.0.1:1\n");
  clock.advance(debounceMs);
  await clock.settling(2);
  appendFileSync(path, "- address: 10.0.0.1:2\n");
  clock.advance(debounceMs);
  await clock.settling(3);
  clock.advance(debounceMs);
  await reader.untilAddresses(...at(1, 2));
  assert.deepEqual([reader.snapshots.length, reader.last?.error], [2, undefined]);
});

test("a file that is written to without end is read in the end", async (t) => {
  const { path, reader, clock } = start(t);
  await reader.untilAddresses(...at(1));
  clock.isHolding = true;
  writeFileSync(path, list(2));
  for (let n = 1; n <= 20; n++) {
    await clock.settling(n);
    appendFileSync(path, "\n");
    clock.advance(debounceMs);
  }
  await reader.untilAddresses(...at(2));
});

test("the files of a ConfigMap are swapped behind a symbolic link, and read again", async (t) => {
  const { folder, path, reader, broken } = start(t, { text: null });
  await broken(`file: read ${path}: no such file`);
  // As the kubelet's AtomicWriter does it: path -> ..data/path, ..data -> ..<time>, which is replaced by rename.
  const publish = (version: string, text: string) => {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, "e.json"), text);
    symlinkSync(version, join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  publish("..one", list(1));
  symlinkSync("..data/e.json", path);
  await reader.untilAddresses(...at(1));
  publish("..two", list(1, 2));
  rmSync(join(folder, "..one"), { recursive: true });
  await reader.untilAddresses(...at(1, 2));
  assert.deepEqual([reader.snapshots.length, reader.last?.error], [3, undefined]);
});

test("without events, as behind a link to another folder, the file is checked from time to time", async (t) => {
  const elsewhere = mkdtempSync(join(tmpdir(), "grpc-lb-elsewhere-"));
  t.after(() => rmSync(elsewhere, { recursive: true }));
  const real = join(elsewhere, "real.json");
  writeFileSync(real, list(1));
  const { path, reader, clock, source } = start(t, { text: null, pollMs: 5_000 });
  symlinkSync(real, path);
  await reader.untilAddresses(...at(1));
  writeFileSync(real, list(2));
  await clock.asleep();
  clock.advance(4_999);
  await turn();
  assert.deepEqual(reader.addresses, at(1));
  clock.advance(1);
  await reader.untilAddresses(...at(2));
  const { lists } = source.stats;
  await clock.asleep();
  clock.advance(5_000);
  await clock.asleep();
  assert.equal(source.stats.lists, lists, "a file that is the same is not read again");
});

test("a folder that is created again is watched from the next check on", async (t) => {
  const { folder, path, reader, clock, broken, source } = start(t, { pollMs: 5_000 });
  await reader.untilAddresses(...at(1));
  rmSync(folder, { recursive: true });
  await broken(`file: read ${path}: no such file`);
  mkdirSync(folder);
  writeFileSync(path, list(2));
  await clock.asleep();
  clock.advance(5_000);
  await reader.untilAddresses(...at(2));
  await clock.asleep();
  replace(path, list(3));
  await reader.untilAddresses(...at(3));
  assert.equal(source.stats.watches, 2);
});

test("what is not a regular file, or may not be read, is an error", async (t) => {
  const { path, broken, reader, source } = start(t);
  await reader.untilAddresses(...at(1));
  rmSync(path);
  mkdirSync(path);
  await broken(`file: read ${path}: not a regular file`);
  rmSync(path, { recursive: true });
  execFileSync("mkfifo", [path]); // without O_NONBLOCK, open waits for a writer
  await until(() => source.stats.lists >= 3, "a third read");
  replace(path, list(2));
  await reader.untilAddresses(...at(2));
  if (process.getuid?.() !== 0) {
    chmodSync(path, 0);
    const { error } = await broken(`file: read ${path}: permission denied`);
    assert.equal(error?.code, "permissionDenied");
  }
});

test("two readers share a run, which ends with the last", async (t) => {
  const { source, reader, path } = start(t);
  await reader.untilAddresses(...at(1));
  const other = new SnapshotReader(source);
  await other.untilAddresses(...at(1));
  assert.deepEqual([source.stats.lists, source.stats.watches], [1, 1]);
  await other.close();
  replace(path, list(2));
  await reader.untilAddresses(...at(2));
});

test("a reader can be closed in any state", async (t) => {
  const { path } = start(t);
  for (let turns = 0; turns < 40; turns++) {
    const reader = new SnapshotReader(sourceIn(defineFileSource, { path, debounceMs, pollMs: 100 }));
    if (turns % 3 === 0) replace(path, list(turns + 1));
    for (let n = 0; n < turns; n++) await turn();
    const count = reader.snapshots.length;
    await reader.close();
    assert.ok(reader.snapshots.length <= count + 1, "nothing comes after the close");
  }
});

test("a file that is larger than 2 MiB is an error beside the last good set, and is not read whole", async (t) => {
  const { path, reader, broken } = start(t);
  await reader.untilAddresses(...at(1));
  writeFileSync(path, "[");
  truncateSync(path, 1.5 * 2 ** 30); // sparse
  const before = process.memoryUsage().rss;
  const { endpoints } = await broken(`file: ${path}: the file must be at most 2 MiB`);
  assert.equal(endpoints?.length, 1);
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grownMiB < 100, `memory grew by ${grownMiB} MiB`);
});

test("an entry of weight 0 is used only while there is no other", async (t) => {
  const entry = (port: number, weight: number) => ({ address: `10.0.0.1:${port}`, weight });
  const { path, reader } = start(t, { text: JSON.stringify([entry(1, 0), entry(2, 1)]) });
  await reader.untilAddresses(...at(2));
  replace(path, JSON.stringify([entry(1, 0), entry(2, 0)]));
  await reader.untilAddresses(...at(1, 2));
});

test("options that are not valid are refused", () => {
  for (const [options, message] of [
    [{ path: "" }, "path must name a file, got an empty one"],
    [{ path: "e", pollMs: 99 }, `pollMs must be from 100 to ${maxDurationMs}, got 99`],
    [{ path: "e", debounceMs: 0 }, `debounceMs must be from 1 to ${maxDurationMs}, got 0`],
    [{ path: "e", debounceMs: Number.NaN }, `debounceMs must be from 1 to ${maxDurationMs}, got NaN`],
  ] as const) {
    assert.throws(() => sourceIn(defineFileSource, options), { name: "RangeError", message });
  }
});
