import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { closedPort } from "./closed-port.ts";

test("each port is a different one where no process listens; a port that is taken is skipped", async () => {
  const before = await closedPort();
  const taken = createServer().listen(before + 1, "127.0.0.1");
  await once(taken, "listening");
  const ports = [before, ...(await Promise.all(Array.from({ length: 50 }, closedPort)))];
  assert.equal(new Set(ports).size, 51);
  assert.ok(!ports.includes(before + 1));
  taken.close();
});
