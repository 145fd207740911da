import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Socket, connect as tcpConnect } from "node:net";
import { hostname } from "node:os";
import { test } from "node:test";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";

const main = `${import.meta.dirname}/main.ts`;
const free = ["--http-port", "0", "--grpc-port", "0", "--bind-address", "127.0.0.1"];

async function startServer(args: readonly string[], env: Record<string, string> = {}) {
  const server = startProgram(main, [...free, ...args], env);
  const { httpPort, grpcPort, pod } = JSON.parse(await server.line((line) => line.includes('"serving"')));
  return { server, httpPort, grpcPort, pod };
}

test("without a pod name the answer is the host name; empty fields of the Downward API are unknown", async () => {
  const { server, pod, httpPort } = await startServer(["--drain-delay", "0"], {
    POD_NAME: "",
    ZONE: "",
    NODE_NAME: "n1",
  });
  assert.deepEqual([pod.name, pod.zone, pod.node], [hostname(), "", "n1"]);
  assert.equal(await (await fetch(`http://127.0.0.1:${httpPort}/pod`)).text(), hostname());
  await server.stop();
});

test("SIGTERM: not ready at once, serves during the drain delay, then exits 0", async () => {
  const { server, httpPort, grpcPort } = await startServer(["--pod-name", "a", "--drain-delay", "1s"]);
  const client = new PodServiceClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  server.kill("SIGTERM");
  await server.line((line) => line.includes('"draining"'));
  assert.equal((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status, 503);
  assert.equal(await (await fetch(`http://127.0.0.1:${httpPort}/pod`)).text(), "a");
  const name = await new Promise((resolve, reject) => {
    client.getPod({}, (error, response) => (error ? reject(error) : resolve(response.pod?.name)));
  });
  assert.equal(name, "a");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  client.close();
});

test("a client that sends nothing on its connection does not delay the end", async () => {
  const { server, httpPort, grpcPort } = await startServer(["--drain-delay", "0", "--drain-timeout", "300ms"]);
  const sockets: Socket[] = [];
  for (const port of [httpPort, grpcPort]) {
    const socket = tcpConnect(port, "127.0.0.1");
    socket.on("error", () => {}); // it is the server that ends it, in whatever way
    sockets.push(socket);
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  server.kill("SIGTERM");
  await server.line((line) => line.includes("calls were cut at the deadline"));
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  for (const socket of sockets) socket.destroy();
});

test("a second signal ends it at once", async () => {
  const { server } = await startServer(["--drain-delay", "60s"]);
  server.kill("SIGTERM");
  await server.line((line) => line.includes('"draining"'));
  server.kill("SIGTERM");
  assert.deepEqual(await server.exited, { code: 143, signal: null });
});

test("a port that is taken ends it with one line that names flag and port, and exit code 1", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as { port: number };
  for (const flag of ["--http-port", "--grpc-port", "--admin-port"]) {
    const { code, stderr } = await runToEnd(main, [...free, flag, String(port)]);
    assert.equal(code, 1);
    assert.equal(stderr.length, 1, `one line, got ${JSON.stringify(stderr)}`);
    assert.match(stderr[0] ?? "", new RegExp(`^server: cannot listen on ${flag} ${port}: .*EADDRINUSE`));
  }
  await new Promise((resolve) => taken.close(resolve));
});

test("a wrong flag, and one without effect, exit 2 with one line that names it", async () => {
  for (const [args, line] of [
    [["--http-port", "http"], 'server: --http-port must be a whole number from 0 to 65535, got "http"'],
    [["--capacity", "2"], "server: --capacity has no effect without --latency or --load-report"],
  ] as const) {
    const { code, stderr } = await runToEnd(main, args);
    assert.deepEqual([code, stderr], [2, [line]]);
  }
});

test("an error about a registration does not repeat its secrets", async () => {
  for (const [flag, target] of [
    ["--register", "consul://127.0.0.1:8500/server?token=secret"],
    ["--register", "zookeeper://user:secret@a/b?token=secret"],
    ["--register", "etcd://user:secret@127.0.0.1:2379/server"],
    ["--advertise", "user:secret@server"],
  ] as const) {
    const { code, stderr } = await runToEnd(main, [...free, flag, target]);
    assert.deepEqual([code, stderr.length], [2, 1], target);
    assert.doesNotMatch(stderr[0] ?? "", /secret/);
  }
});

test("the flags take effect: a slow, failing, reporting server", async () => {
  const slow = ["--pod-name", "a", "--latency", "1ms", "--error-rate", "1", "--capacity", "1", "--drain-delay", "0"];
  for (const report of [["--load-report", "--weight", "3"], []]) {
    const { server, httpPort, grpcPort } = await startServer([...slow, ...report]);
    const answer = await fetch(`http://127.0.0.1:${httpPort}/pod`);
    assert.deepEqual([answer.status, await answer.text()], [503, "a fails by --error-rate"]);
    const client = new PodServiceClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) => client.getPod({}, resolve));
    assert.equal(error?.details, "a fails by --error-rate");
    assert.equal(error?.metadata.get("endpoint-load-metrics-bin").length, report.length > 0 ? 1 : 0);
    client.close();
    await server.stop();
  }
});

test("the README lists every flag with its variable and default, and no other", async () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const help = (await runToEnd(main, ["--help"])).stdout.join(" ").replace(/\s+/g, " ");
  const inHelp = [...help.matchAll(/(--[a-z-]+) (?:<[a-z]+> )?[^(-].*?\(default: (.*?), env: ([A-Z_]+)\)/g)];
  const inReadme = [...readme.matchAll(/^\| `(--[a-z-]+)` \| `([A-Z_]+)` \| (.*?) \|/gm)];
  assert.deepEqual(
    inReadme.map(([, flag, variable, value]) => [flag, variable, value]),
    inHelp.map(([, flag, value, variable]) => [flag, variable, value]),
  );
  assert.equal(inHelp.length, 35);
});
