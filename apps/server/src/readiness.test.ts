import assert from "node:assert/strict";
import { test } from "node:test";
import { Readiness } from "./readiness.ts";

test("the state goes from starting to ready to draining, and each change is reported once", () => {
  const readiness = new Readiness();
  const states: string[] = [readiness.state];
  readiness.onChange(() => states.push(readiness.state));
  readiness.start();
  readiness.start();
  readiness.end();
  readiness.end();
  readiness.start();
  assert.deepEqual(states, ["starting", "ready", "draining"]);
});

test("a server that is stopped while it starts never becomes ready", () => {
  const readiness = new Readiness();
  readiness.end();
  readiness.start();
  assert.equal(readiness.state, "draining");
});

test("the reason why a server is not ready has what its start waits for", () => {
  const readiness = new Readiness();
  assert.equal(readiness.problem, "starting");
  readiness.waitFor("the keys");
  assert.equal(readiness.problem, "starting: waiting for the keys");
  readiness.start();
  assert.equal(readiness.problem, undefined);
  readiness.end();
  assert.equal(readiness.problem, "draining");
});

test("a suspended server is not serving; it is ready again afterwards, and a drain comes first", () => {
  const readiness = new Readiness();
  const states: string[] = [];
  readiness.onChange(() => states.push(readiness.state));
  readiness.suspend(true);
  readiness.start();
  readiness.suspend(false);
  readiness.suspend(true);
  readiness.end();
  assert.deepEqual(states, ["starting", "not-serving", "ready", "not-serving", "draining"]);
});
