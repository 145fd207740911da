import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { assertNothingLeft } from "./index.ts";

test("an open timer, server or socket is found and named; one that closes within some turns is not", async () => {
  await assertNothingLeft();

  const timer = setInterval(() => {}, 3_600_000);
  await assert.rejects(assertNothingLeft(), /nothing may be left open[\s\S]*Timeout/);
  clearInterval(timer);

  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  await assert.rejects(assertNothingLeft(), /TCPServerWrap/);
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = await once(server, "connection");
  server.close();
  await assert.rejects(assertNothingLeft(), /TCPSocketWrap/);

  accepted.destroy();
  client.destroy();
  await assertNothingLeft();
});
