import assert from "node:assert/strict";
import { test } from "node:test";
import { listening } from "./listening.ts";

test("a port that cannot be listened on is an error with its flag and the reason, in grpc-js's wrapping too", async () => {
  assert.equal(await listening("--port", 1, Promise.resolve("listener")), "listener");
  const reason = "listen EADDRINUSE: address already in use 127.0.0.1:18000";
  for (const message of [reason, `No address added out of total 1 resolved errors: [${reason}]`]) {
    await assert.rejects(listening("--csds-port", 18_000, Promise.reject(new Error(message))), {
      name: "ProgramError",
      message: `cannot listen on --csds-port 18000: ${reason}`,
      exitCode: 1,
    });
  }
});
