import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { OwnedCredentials } from "./owned-credentials.ts";

afterEach(assertNothingLeft);

test("an error of a socket without a listener does not end the process; close ends all sockets, and those that connect later", async () => {
  const server = createServer((socket) => void socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const credentials = new OwnedCredentials(undefined);
  const connector = credentials._createSecureConnector({ path: "h" }, {});
  const sockets = await Promise.all(
    [1, 2].map(async () => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      return (await connector.connect(socket)).socket;
    }),
  );
  sockets[0]?.destroy(new Error("reset"));
  await once(sockets[0] as (typeof sockets)[number], "close").catch(() => {});
  await credentials.close();
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, true],
  );
  const late = connect(port, "127.0.0.1");
  await once(late, "connect");
  await connector.connect(late);
  assert.ok(late.destroyed, "what connects after the close is ended too");
  const begun = credentials.whileConnecting(() => connect(port, "127.0.0.1"));
  await once(begun, "close");
  assert.ok(begun.destroyed, "what begins to connect after the close is ended too");
  server.close();
  await once(server, "close");
});
