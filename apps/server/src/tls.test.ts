import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, get } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { makeTwoAuthorities, until } from "@grpc-lb/core/testing";
import { openServerTls } from "@grpc-lb/operations/tls";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { limitHandshakes } from "./handshakes.ts";

const main = `${import.meta.dirname}/main.ts`;
const free = ["--http-port", "0", "--grpc-port", "0", "--bind-address", "127.0.0.1", "--drain-delay", "0"];
const { authority, other, options } = makeTwoAuthorities(after);

test(
  "both ports speak TLS, want a client's certificate, and say whom they refuse; no key is in the log",
  options,
  async () => {
    assert.ok(authority && other);
    const { certFile, keyFile } = authority.issue("server", { hosts: ["localhost"] });
    const tlsFlags = ["--tls-cert", certFile, "--tls-key", keyFile, "--tls-client-ca", authority.caFile];
    const server = startProgram(main, [...free, ...tlsFlags, "--pod-name", "a", "--log-level", "trace"]);
    const { httpPort, grpcPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
    const ca = readFileSync(authority.caFile);
    const read = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => ({
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
    });
    const own = read(authority.issue("client"));
    const foreign = read(other.issue("client"));
    const expired = read(authority.issue("expired", { expires: new Date("2020-01-02T00:00:00Z") }));
    const overHttp = (identity: object) =>
      new Promise<string>((resolve) => {
        get({ host: "127.0.0.1", port: httpPort, path: "/pod", ca, agent: false, ...identity }, async (response) => {
          let body = "";
          for await (const chunk of response.setEncoding("utf8")) body += chunk;
          resolve(body);
        }).on("error", ({ message }) => resolve(message));
      });
    const overGrpc = (identity?: { cert: Buffer; key: Buffer }) => {
      const channel = credentials.createSsl(ca, identity?.key, identity?.cert);
      const client = new PodServiceClient(`localhost:${grpcPort}`, channel, { "grpc.enable_http_proxy": 0 });
      return new Promise<string>((resolve) => {
        client.getPod({}, (error, response) => {
          client.close();
          resolve(error ? error.details : (response.pod?.name ?? ""));
        });
      });
    };
    assert.deepEqual([await overHttp(own), await overGrpc(own)], ["a", "a"]);
    for (const call of [overHttp, overGrpc]) {
      assert.match(await call({} as never), /certificate required/);
      assert.notEqual(await call(foreign), "a");
      await server.line((line) => line.includes("the client has no certificate"));
      await server.line((line) =>
        line.includes("the client's certificate is not from an authority of --tls-client-ca"),
      );
    }
    assert.notEqual(await overHttp(expired), "a");
    await server.line((line) => line.includes("the client's certificate has expired"));
    const plain = await fetch(`http://127.0.0.1:${httpPort}/pod`);
    assert.deepEqual([plain.status, plain.statusText], [400, "This port speaks TLS"]);
    await server.stop();
    const refusals = [...server.stdout, ...server.stderr].filter((line) => line.includes("handshake refused"));
    assert.ok(refusals.length > 0);
    for (const line of refusals) assert.equal(JSON.parse(line).peer, "127.0.0.1", line);
    const written = [...server.stdout, ...server.stderr].join("\n");
    assert.doesNotMatch(written, /warm-up incomplete/);
    for (const line of readFileSync(keyFile, "utf8").split("\n").slice(1, -2))
      assert.ok(!written.includes(line), "a key leaks");
  },
);

test("files that cannot be used, and flags that need another, are one line with exit code 2", options, async () => {
  assert.ok(authority);
  const [one, two] = [authority.issue("one", { hosts: [] }), authority.issue("two", { hosts: [] })];
  const none = { tlsCert: "", tlsKey: "", tlsClientCa: "" };
  for (const [flags, message] of [
    [{ tlsCert: one.certFile }, "--tls-cert needs --tls-key"],
    [{ tlsClientCa: authority.caFile }, "--tls-client-ca has no effect without --tls-cert and --tls-key"],
  ] as const) {
    await assert.rejects(openServerTls({ ...none, ...flags }, {}), { name: "ProgramError", exitCode: 2, message });
  }
  const { code, stderr } = await runToEnd(main, ["--tls-cert", one.certFile, "--tls-key", two.keyFile]);
  const line = `server: private key ${two.keyFile}: does not belong to certificate ${one.certFile}`;
  assert.deepEqual([code, stderr], [2, [line]]);
});

test("connections that do not end their handshake are bounded", options, async (t) => {
  assert.ok(authority);
  const { certFile, keyFile } = authority.issue("bounded", { hosts: [] });
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  limitHandshakes(server, { max: 2 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  for (let n = 0; n < 3; n++) {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    t.after(() => socket.destroy());
    sockets.push(socket);
    await once(server, "connection");
  }
  await until(() => sockets[0]?.closed === true, "the oldest is closed");
  assert.deepEqual(
    sockets.map(({ closed }) => closed),
    [true, false, false],
  );
  server.close();
});
