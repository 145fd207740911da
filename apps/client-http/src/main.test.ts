import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, test } from "node:test";
import { assertNothingLeft, closedPort } from "@grpc-lb/core/testing";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";

const main = `${import.meta.dirname}/main.ts`;
const server = `${import.meta.dirname}/../../server/src/main.ts`;
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
const servers: Server[] = [];

async function serve(listener: RequestListener, port = 0, host = "127.0.0.1"): Promise<number> {
  const server = createServer(listener).listen(port, host);
  await once(server, "listening");
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await assertNothingLeft();
});

test("each call prints the numbered name of the pod, and nothing else", async () => {
  const pod = startProgram(server, [
    ...["--pod-name", "server-a", "--http-port", "0", "--grpc-port", "0"],
    ...["--bind-address", "127.0.0.1", "--drain-delay", "0s"],
  ]);
  const { httpPort } = JSON.parse(await pod.line((line) => line.includes('"serving"')));
  const args = ["--target", `127.0.0.1:${httpPort}`, "--count", "3", "--interval", "1ms"];
  const stdout = ["#1: server-a", "#2: server-a", "#3: server-a"];
  assert.deepEqual(await runToEnd(main, args), { code: 0, signal: null, stdout, stderr: [] });
  assert.deepEqual(await pod.stop(), { code: 0, signal: null });
});

test("each connection is a new choice of a pod", async () => {
  let connections = 0;
  const port = await serve((_request, response) => response.end(`pod-${connections}`));
  servers[0]?.on("connection", () => {
    connections += 1;
  });
  const { stdout } = await runToEnd(main, ["--count", "3", "--interval", "1ms"], { TARGET: `127.0.0.1:${port}` });
  assert.deepEqual(stdout, ["#1: pod-1", "#2: pod-2", "#3: pod-3"]);
});

test("with --events each call is reported with a connection of its own", async () => {
  const port = await serve((_request, response) => response.end("a"));
  const args = ["--target", `127.0.0.1:${port}`, "--count", "3", "--interval", "1ms", "--events"];
  const { stderr } = await runToEnd(main, args);
  const events = stderr.map((line) => JSON.parse(line));
  const named = (name: string) => events.filter(({ event }) => event === name);
  assert.deepEqual(
    named("call").map(({ pod, connection }) => `${pod} ${connection}`),
    ["a 1", "a 2", "a 3"],
  );
  assert.deepEqual(
    named("connection-opened").map(({ peer }) => peer),
    Array(3).fill(`127.0.0.1:${port}`),
  );
});

test("a failed call goes to stderr, has no number, and makes the exit code of --count 1", async () => {
  let calls = 0;
  const port = await serve((_request, response) => {
    calls += 1;
    if (calls === 2) response.statusCode = 503;
    response.end("a");
  });
  const url = `http://127.0.0.1:${port}/pod`;
  assert.deepEqual(await runToEnd(main, ["--target", url, "--count", "3", "--interval", "1ms"]), {
    code: 1,
    signal: null,
    stdout: ["#1: a", "#2: a"],
    stderr: [`Error: GET ${url}: 503 Service Unavailable`],
  });
});

test("a server that starts later is called as soon as it is there, from #1", async () => {
  const port = await closedPort();
  const client = startProgram(main, ["--target", `127.0.0.1:${port}`, "--interval", "20ms"]);
  const error = await client.line((line) => line.startsWith("Error: "));
  assert.equal(error, `Error: GET http://127.0.0.1:${port}/pod: connect ECONNREFUSED 127.0.0.1:${port}`);
  await serve((_request, response) => response.end("late"), port);
  await client.line((line) => line === "#2: late");
  assert.deepEqual(client.stdout.slice(0, 2), ["#1: late", "#2: late"]);
  client.kill("SIGTERM");
  assert.deepEqual(await client.exited, { code: 0, signal: null }, "without --count, failed calls are no failure");
});

test("a server that never answers costs one timeout per call", async () => {
  const port = await serve(() => {});
  const args = ["--target", `127.0.0.1:${port}`, "--timeout", "50ms", "--count", "2", "--interval", "0"];
  const { code, stdout, stderr } = await runToEnd(main, args);
  const line = `Error: GET http://127.0.0.1:${port}/pod: no answer within 50ms`;
  assert.deepEqual([code, stdout, stderr], [1, [], [line, line]]);
});

test("a SIGTERM during a call lets it end, prints it and exits 0", async () => {
  const requested = Promise.withResolvers<() => void>();
  const port = await serve((_request, response) => requested.resolve(() => response.end("slow")));
  const client = startProgram(main, ["--target", `127.0.0.1:${port}`]);
  const answer = await requested.promise;
  client.kill("SIGTERM");
  answer();
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual([client.stdout, client.stderr], [["#1: slow"], []]);
});

test("a server that answers 101 to every call costs an error per call, and SIGTERM ends the client", async () => {
  const port = await serve(() => {});
  servers.at(-1)?.on("connection", (socket: Socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  });
  const client = startProgram(main, ["--target", `127.0.0.1:${port}`, "--interval", "1ms"]);
  const reason = "101 Switching Protocols: no upgrade was requested";
  await client.line((line) => line === `Error: GET http://127.0.0.1:${port}/pod: ${reason}`);
  client.kill("SIGTERM");
  assert.deepEqual(await client.exited, { code: 0, signal: null });
});

test("a SIGTERM in the pause exits 0 at once", async () => {
  const port = await serve((_request, response) => response.end("a"));
  const client = startProgram(main, ["--target", `127.0.0.1:${port}`, "--interval", "1h"]);
  await client.line((line) => line === "#1: a");
  client.kill("SIGTERM");
  assert.deepEqual(await client.exited, { code: 0, signal: null });
});

test("calls work over IPv6", { skip: !hasIpv6 && "no IPv6 here" }, async () => {
  const port = await serve((_request, response) => response.end("six"), 0, "::1");
  const { code, stdout } = await runToEnd(main, ["--target", `[::1]:${port}`, "--count", "1"]);
  assert.deepEqual([code, stdout], [0, ["#1: six"]]);
});

test("a wrong flag exits 2 with one line", async () => {
  const { code, stdout, stderr } = await runToEnd(main, ["--target", "ftp://server"]);
  const line =
    'client-http: --target must be a URL such as http://server/pod or a host such as server:80, got "ftp://server"';
  assert.deepEqual([code, stdout, stderr], [2, [], [line]]);
});

test("the README lists every flag with its variable and default", async () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const help = (await runToEnd(main, ["--help"])).stdout.join(" ").replace(/\s+/g, " ");
  const flags = [...help.matchAll(/(--[a-z-]+) <[a-z]+> .*?\(default: (.*?), env: ([A-Z_]+)\)/g)];
  assert.equal(flags.length, 14);
  for (const [, flag, value, variable] of flags) {
    const row = `| \`${flag}\` | \`${variable}\` | ${value} |`;
    assert.ok(readme.includes(row), `want a row that begins "${row}"`);
  }
});
