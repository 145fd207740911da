import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { afterEach, test } from "node:test";
import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { serverOptions } from "./server-options.ts";

afterEach(assertNothingLeft);

test("a connection learns at once that it may have 100 streams", async () => {
  const server = new Server(serverOptions);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  const session = connect(`http://127.0.0.1:${port}`);
  const [settings] = await once(session, "remoteSettings");
  assert.equal(settings.maxConcurrentStreams, 100);
  session.close();
  await once(session, "close");
  server.forceShutdown();
});
