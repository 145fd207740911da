import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { startProgram } from "@grpc-lb/program/testing";
import { FakeApiServer, service, slice } from "../../testing/index.ts";

const probe = new URL("../../testing/programs/kubernetes-background.ts", import.meta.url).pathname;
const at = (...addresses: string[]) => slice({ service: "s", addresses });
/** What Node exits with when a top-level await can never end. */
const unsettled = 13;

async function start(t: TestContext, ...modes: string[]) {
  const api = await FakeApiServer.start();
  t.after(() => api.close());
  api.putService(service({ name: "s" }));
  api.putSlice(at("10.0.0.1"));
  const program = startProgram(probe, [api.url, ...modes]);
  return { api, program };
}

// Most of the time they wait for the start of a program, so they do it together.
describe("a watch of Kubernetes", { concurrency: 4 }, () => {
  test("a program that only reads stays alive, also during an outage, until it stops reading", async (t) => {
    const { api, program } = await start(t, "foreground");
    await program.line((line) => line === "foreground: 1");
    await api.stop();
    await program.line((line) => line === "foreground: unavailable");
    api.putSlice(at("10.0.0.1", "10.0.0.2"));
    await api.start();
    await program.line((line) => line === "foreground: 2");
    api.putSlice(at());
    assert.equal((await program.exited).code, 0, program.stderr.join("\n"));
  });

  test("a watch in the background does not keep the process alive", async (t) => {
    const { api, program } = await start(t, "background");
    const { code } = await program.exited;
    assert.equal(code, unsettled, program.stderr.join("\n"));
    await api.until(({ connections }) => connections === 0);
  });

  test("of two readers that share a watch, only the one in the foreground keeps the process alive", async (t) => {
    const { api, program } = await start(t, "background", "foreground");
    await program.line((line) => line === "foreground: 1");
    await api.until(({ openWatches }) => openWatches === 2);
    api.putSlice(at("10.0.0.1", "10.0.0.2"));
    for (const mode of ["background", "foreground"]) await program.line((line) => line === `${mode}: 2`);
    assert.equal(api.counts.watch, 2, "of the slices and of the Service");
    api.putSlice(at());
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });
});
