import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { Connection, type Method } from "./connection.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcStatus } from "./rpc-status.ts";

afterEach(assertNothingLeft);

const bytes = (value: Buffer) => value;
const echo: Method<Buffer, Buffer> = {
  path: "/test.Echo/Echo",
  requestStream: true,
  responseStream: true,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};

type Call = RpcCall<Buffer, Buffer>;

/** Opens a call of a server that reads nothing until `read`. */
async function withFullCall(run: (call: Call, read: () => void) => Promise<void>): Promise<void> {
  const server = new Server();
  const reading = Promise.withResolvers<void>();
  const handler = async (call: ServerDuplexStream<Buffer, Buffer>) => {
    await reading.promise;
    call.on("data", () => {}).on("end", () => call.end());
  };
  server.addService({ echo }, { echo: handler });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  const connection = new Connection({ address: `127.0.0.1:${port}`, maxMessageBytes: 1024 });
  const ending = new AbortController();
  try {
    await connection.connect(ending.signal);
    const call = connection.open(echo, new Metadata(), ending.signal);
    for (let sent = 0; !call.isFull; sent += 1) {
      assert.ok(sent < 100, "a peer that reads nothing takes no 100 MiB");
      call.send(Buffer.alloc(2 ** 20));
    }
    await run(call, reading.resolve);
  } finally {
    await connection.close(new RpcStatus(status.CANCELLED, "closed"));
    server.forceShutdown();
  }
}

/** Two waits, and how many of them are over. */
function waitTwice(call: Call): () => number {
  let over = 0;
  for (let n = 0; n < 2; n += 1) void call.taken().then(() => (over += 1));
  return () => over;
}

test("all who wait until the peer takes more go on when it does", () =>
  withFullCall(async (call, read) => {
    const over = waitTwice(call);
    assert.equal(call.isFull, true);
    read();
    await until(() => over() === 2, "both go on");
    assert.equal(call.isFull, false);
  }));

test("all who wait until the peer takes more go on when the call ends", () =>
  withFullCall(async (call) => {
    const over = waitTwice(call);
    call.end();
    await until(() => over() === 2, "both go on");
    assert.equal(call.isFull, false);
  }));
