import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { after, test } from "node:test";
import { assertNothingLeft, ManualClock, turn, until } from "../../testing/index.ts";
import { type HttpAnswer, HttpClient } from "./http-client.ts";
import { HttpError } from "./http-error.ts";
import { RequestGuard } from "./request-guard.ts";

after(assertNothingLeft);

const clients = new Set<HttpClient>();
after(() => {
  for (const client of clients) client.close();
});

/** A server that answers each request by `behave`, in raw bytes; and what one request to it comes to. */
async function serve(t: { after(run: () => void): void }, behave: (socket: Socket, n: number, data: Buffer) => void) {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the client ends what it has given up
    socket.on("data", (data) => behave(socket, ++requests, data));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, requests: () => requests };
}

const ok = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function exchange<T>(
  port: number,
  read: (answer: HttpAnswer) => Promise<T>,
  options: { clock?: ManualClock; allowMs?: number; totalMs?: number; signal?: AbortSignal } = {},
) {
  const { clock = new ManualClock(), allowMs = 5_000, totalMs, signal = new AbortController().signal } = options;
  const client = new HttpClient({ isSecure: false });
  clients.add(client);
  const guard = new RequestGuard(signal, clock, totalMs);
  guard.allow(allowMs);
  return client
    .exchange({ host: "127.0.0.1", port, path: "/" }, guard, read)
    .catch((error) => {
      throw guard.signal.aborted ? guard.signal.reason : error;
    })
    .finally(() => guard.release());
}

test("informational responses before the answer are skipped; endless ones are an error", async (t) => {
  const hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
  const few = await serve(t, (socket) => socket.write(`${hints.repeat(20)}${ok("well")}`));
  assert.equal(await exchange(few.port, (answer) => answer.text()), "well");
  const endless = await serve(t, (socket) => {
    const flood = () => {
      while (!socket.destroyed && socket.write(hints.repeat(100)));
    };
    socket.on("drain", flood);
    flood();
  });
  const expected = { name: "HttpError", message: "more than 20 informational responses" };
  await assert.rejects(
    exchange(endless.port, (answer) => answer.text()),
    expected,
  );
});

test("gives status, headers and the whole text", async (t) => {
  const { port } = await serve(t, (socket) => socket.write(ok("héllo")));
  const got = await exchange(port, async (answer) => [
    answer.status,
    answer.phrase,
    answer.headers["content-length"],
    await answer.text(),
  ]);
  assert.deepEqual(got, [200, "OK", "6", "héllo"]);
});

test("an upgrade that nobody requested is an error, and its socket is closed", async (t) => {
  let closed: Promise<unknown> | undefined;
  const { port } = await serve(t, (socket) => {
    closed = once(socket, "close");
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n");
  });
  const expected = { name: "HttpError", message: "101 Switching Protocols: no upgrade was requested" };
  await assert.rejects(
    exchange(port, (answer) => answer.text()),
    expected,
  );
  await closed;
});

test("an answer that does not come, stops, or drips ends at the guard's deadlines", async (t) => {
  for (const [what, begin] of [
    ["accepts and is silent", ""],
    ["sends informational answers alone", "HTTP/1.1 103 Early Hints\r\n\r\n"],
    ["stops in the middle of its headers", "HTTP/1.1 200 OK\r\nx-a: "],
    ["stops in the middle of its body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"],
  ] as const) {
    await t.test(what, async (t) => {
      const clock = new ManualClock();
      const { port, requests } = await serve(t, (socket) => void (begin && socket.write(begin)));
      const failed = assert.rejects(
        exchange(port, (answer) => answer.text(), { clock }),
        /nothing heard for 5 s/,
      );
      await until(() => requests() > 0, "a request");
      for (let n = 0; n < 20; n++) await turn();
      await clock.advance(5_000);
      await failed;
    });
  }
  await t.test("drips for longer than the whole may take", async (t) => {
    const clock = new ManualClock();
    const { port } = await serve(t, (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n"));
    const failed = assert.rejects(
      exchange(port, (answer) => drip(answer, clock), { clock, totalMs: 60_000 }),
      /no whole answer within 60 s/,
    );
    await failed;
  });
});

/** Reads as if a character came each second. */
async function drip(answer: HttpAnswer, clock: ManualClock): Promise<never> {
  const reading = answer.text();
  reading.catch(() => {});
  for (;;) {
    await clock.advance(1_000);
    answer.heard();
    await Promise.race([turn(), reading]);
  }
}

test("a body without a length that a deadline ends is not taken for a whole one", async (t) => {
  for (const read of [
    async (answer: HttpAnswer) => {
      await answer.text();
    },
    async (answer: HttpAnswer) => {
      for await (const _ of answer.lines()) answer.heard();
    },
  ]) {
    const clock = new ManualClock();
    const { port } = await serve(t, (socket) => socket.write("HTTP/1.0 200 OK\r\n\r\n[]\n"));
    let hasBegun = false;
    const got = exchange(
      port,
      (answer) => {
        hasBegun = true;
        return read(answer);
      },
      { clock, allowMs: 5_000 },
    );
    const failed = assert.rejects(got, /^Error: nothing heard for 5 s$/);
    await until(() => hasBegun, "the beginning of the answer");
    for (let n = 0; n < 20; n++) await turn();
    clock.advance(5_000);
    await failed;
  }
});

test("an abort of the owner ends it at once", async (t) => {
  const controller = new AbortController();
  const { port, requests } = await serve(t, () => {});
  const failed = assert.rejects(
    exchange(port, (answer) => answer.text(), { signal: controller.signal }),
    /changed my mind/,
  );
  await until(() => requests() > 0, "a request");
  controller.abort(new Error("changed my mind"));
  await failed;
});

test("a body or a line over its limit is an error", async (t) => {
  const { port } = await serve(t, (socket) => socket.write(ok("abcdefghij\nk")));
  assert.equal(await exchange(port, (answer) => answer.text(12)), "abcdefghij\nk");
  await assert.rejects(
    exchange(port, (answer) => answer.text(11)),
    new HttpError("the answer is longer than 11 characters"),
  );
  const { port: endless } = await serve(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    const write = () => socket.writable && socket.write(`1000\r\n${"x".repeat(4_096)}\r\n`, write);
    write();
  });
  const read = async (answer: HttpAnswer) => {
    for await (const _ of answer.lines(10_000)) assert.fail("no line was completed");
  };
  await assert.rejects(exchange(endless, read), new HttpError("a line of the answer is longer than 10000 characters"));
});

test("lines come as they are completed, those of one piece together; what follows the last newline is the rest", async (t) => {
  const pieces = ["a", "b\n\nc\nd", "e\n", "f"];
  const { port } = await serve(t, async (socket) => {
    socket.setNoDelay(true);
    socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (const piece of pieces) {
      socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      for (let n = 0; n < 20; n++) await turn();
    }
    socket.write("0\r\n\r\n");
  });
  const lines = await exchange(port, async (answer) => {
    const all: string[] = [];
    for await (const several of answer.lines()) all.push(...several);
    return [...all, answer.rest];
  });
  assert.deepEqual(lines, ["ab", "c", "de", "f"]);
});

test("the beginning of a refusal's words is had even when the rest never comes", async (t) => {
  const { port } = await serve(t, (socket) => {
    socket.end("HTTP/1.1 500 Oops\r\ncontent-length: 99\r\n\r\nbroken");
  });
  assert.equal(await exchange(port, (answer) => answer.beginning(100)), "broken");
  assert.equal(await exchange(port, (answer) => answer.beginning(3)), "bro");
});

test("a kept connection that the server has closed meanwhile is replaced by another", async (t) => {
  const { port, requests } = await serve(t, (socket, n) => {
    if (n === 2) socket.destroy();
    else socket.write(ok(String(n)));
  });
  const client = new HttpClient({ isSecure: false });
  clients.add(client);
  const get = async () => {
    const guard = new RequestGuard(new AbortController().signal, new ManualClock());
    try {
      return await client.exchange({ host: "127.0.0.1", port, path: "/" }, guard, (answer) => answer.text());
    } finally {
      guard.release();
    }
  };
  assert.deepEqual([await get(), await get(), requests()], ["1", "3", 3]);
});

test("header values are sent as UTF-8", async (t) => {
  let head = "";
  const { port } = await serve(t, (socket, _, data) => {
    head = data.toString();
    socket.write(ok("well"));
  });
  const client = new HttpClient({ isSecure: false });
  clients.add(client);
  const guard = new RequestGuard(new AbortController().signal, new ManualClock());
  const headers = { "x-one": "jörg €", "x-more": ["ü", "u"] };
  await client.exchange({ host: "127.0.0.1", port, path: "/", headers }, guard, (answer) => answer.text());
  guard.release();
  assert.match(head, /\r\nx-one: jörg €\r\nx-more: ü\r\nx-more: u\r\n/);
});
