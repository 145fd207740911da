import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { type Clock, systemClock } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, until } from "@grpc-lb/core/testing";
import { watchConfigFile } from "./config-file.ts";

afterEach(assertNothingLeft);

/** Watches a file with short waits, and collects what it reports. */
function watching(path: string, clock: Clock = systemClock) {
  const ending = new AbortController();
  const configs: string[] = [];
  const errors: string[] = [];
  const ended = watchConfigFile(
    {
      ...{ path, clock, pollMs: 100, debounceMs: 5 },
      onConfig: ({ services }) => configs.push([...services.keys()].join()),
      onError: (message) => errors.push(message),
    },
    ending.signal,
  );
  const end = () => {
    ending.abort();
    return ended;
  };
  return { configs, errors, end };
}

/** Lets a poll pass, with the wait of its check if it has one, until the watch waits for the next one. */
async function pollOnce(clock: ManualClock): Promise<void> {
  await clock.asleep();
  clock.advance(100);
  await clock.asleep();
}

const text = (name: string) => `services: { ${name}: { target: "static:///10.0.0.1:80" } }\n`;

test("a wrong configuration is one line and the last good one stays; a ConfigMap's swap is seen", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-config-"));
  t.after(() => rm(folder, { recursive: true }));
  const publish = async (version: string, content: string) => {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, "config.yaml"), content);
    await symlink(version, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  await publish("..1", text("one"));
  await symlink("..data/config.yaml", join(folder, "config.yaml"));
  const path = join(folder, "config.yaml");
  const { configs, errors, end } = watching(path);
  await until(() => configs.length === 1, "the first configuration");
  await publish("..2", "services:\n  two: {}\n");
  await until(() => errors.length === 1, "the error");
  await publish("..3", text("three"));
  await until(() => configs.length === 2, "the next configuration");
  await end();
  assert.deepEqual(configs, ["one", "three"]);
  assert.deepEqual(errors, [`${path}:2: services.two must have one of target, sources, split, got none`]);
});

test("a service that is there twice is named, in YAML and in JSON", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-config-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "config");
  for (const content of ["services:\n  web: {}\n  web: {}\n", '{"services": {\n"web": {},\n"web": {}}}']) {
    await writeFile(path, content);
    const { errors, end } = watching(path);
    await until(() => errors.length === 1, "the error");
    await end();
    assert.deepEqual(errors, [`${path}:3: services.web is given twice`]);
  }
});

test("a file that is not there is an error, and is read as soon as it is", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-config-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "config.yaml");
  const { configs, errors, end } = watching(path);
  await until(() => errors.length === 1, "the error");
  await writeFile(path, text("late"));
  await until(() => configs.length === 1, "the configuration");
  await end();
  assert.deepEqual(errors, [`read ${path}: no such file`]);
});

test("a file that cannot be read is one error for as long as the reason is the same, and is read as soon as it can be", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-config-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "config.yaml");
  const clear = () => rm(path, { recursive: true, force: true });
  const isRoot = process.getuid?.() === 0; // may read what it has no permission for
  const states: readonly (readonly [make: () => Promise<unknown>, error: string])[] = [
    [() => mkdir(path), `read ${path}: not a regular file`],
    [clear, `read ${path}: no such file`],
    [() => symlink("config.yaml", path), `read ${path}: its symbolic links form a loop`],
    ...(isRoot
      ? []
      : ([[() => writeFile(path, text("secret"), { mode: 0 }), `read ${path}: permission denied`]] as const)),
    [() => writeFile(path, Buffer.alloc(3 * 2 ** 20, "#")), `${path}: the file must be at most 2 MiB`],
    [() => writeFile(path, Buffer.from([0xff, 0xfe])), `${path}: the file is not valid UTF-8`],
  ];
  for (const [make, error] of states) {
    await clear();
    await make();
    const clock = new ManualClock();
    const { configs, errors, end } = watching(path, clock);
    await until(() => errors.length > 0, error);
    for (let poll = 0; poll < 6; poll++) await pollOnce(clock);
    assert.deepEqual(errors, [error]);
    await clear();
    await writeFile(path, text("good"));
    for (let poll = 0; poll < 20 && configs.length === 0; poll++) await pollOnce(clock);
    assert.deepEqual(configs, ["good"]);
    await end();
  }
});
