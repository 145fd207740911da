import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { onlySend } from "@grpc-lb/operations/telemetry";
import { request } from "undici";
import { getPod } from "./get-pod.ts";

const podRequest = { what: "GET a", url: new URL("http://a/"), observe: onlySend };

test("a call ends at its timeout also when its exchange never settles", async () => {
  await assert.rejects(
    getPod({ ...podRequest, timeoutMs: 50 }, () => new Promise(() => {})),
    { message: "GET a: no answer within 50ms" },
  );
});

test("over undici, as for endpoints, 101 Switching Protocols is an error before the timeout", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}).resume());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const call = getPod({ ...podRequest, timeoutMs: 60_000 }, async ({ signal }) => {
    await request(`http://127.0.0.1:${port}/pod`, { signal });
    return "answered";
  });
  await assert.rejects(call, /^Error: GET a: (?!no answer within)/);
  for (const socket of sockets) socket.destroy();
  server.close();
});
