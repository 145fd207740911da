import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { watchConfigFile } from "./config-file.ts";

afterEach(assertNothingLeft);

/** Watches a file with short waits, and collects what it reports. */
function watching(path: string) {
  const ending = new AbortController();
  const configs: string[] = [];
  const errors: string[] = [];
  const ended = watchConfigFile(
    {
      ...{ path, clock: systemClock, pollMs: 100, debounceMs: 5 },
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
