import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

test("loads neither grpc-js nor a package of OpenTelemetry", () => {
  const program = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    await import(${JSON.stringify(new URL("index.ts", import.meta.url).href)});
    console.log(JSON.stringify(loaded));`;
  const args = ["--input-type=module", "--eval", program];
  const loaded: string[] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  assert.ok(loaded.some((url) => url.endsWith("/histograms.ts")));
  assert.deepEqual(
    loaded.filter((url) => url.includes("/node_modules/")),
    [],
  );
});
