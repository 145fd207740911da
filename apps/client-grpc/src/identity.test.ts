import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { credentials, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { makeTwoAuthorities } from "@grpc-lb/core/testing";
import { createTokenInterceptors } from "@grpc-lb/operations/auth";
import { type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { registerResolvers } from "@grpc-lb/resolver";
import { openPodCaller, type PodCallerOptions } from "./get-pod.ts";

const { authority, other, options } = makeTwoAuthorities(after);

/** Answers with the token that the call came with. */
async function serve(t: TestContext, serverCredentials: ServerCredentials): Promise<number> {
  const server = new Server();
  const getPod: PodServiceServer["getPod"] = ({ metadata }, respond) => {
    const name = String(metadata.get("authorization")[0] ?? "none").replace("Bearer ", "");
    respond(null, { pod: { name, namespace: "", node: "", zone: "", ip: "", version: "" } });
  };
  server.addService(PodServiceService, { getPod });
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", serverCredentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

/** Resets each connection at its first bytes, with TLS those after the handshake: as a server that refuses a certificate, under load. */
async function reset(t: TestContext, tlsOptions?: TlsOptions): Promise<number> {
  const server = tlsOptions ? createTlsServer(tlsOptions) : createServer();
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    if (!tlsOptions) socket.once("data", () => socket.resetAndDestroy());
  });
  server.on("secureConnection", () => sockets.pop()?.resetAndDestroy());
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function call(target: string, more: Partial<PodCallerOptions>): Promise<string> {
  const caller = openPodCaller({
    target,
    timeoutMs: 10_000,
    keepaliveTimeMs: 305_000,
    serviceConfig: undefined,
    ...more,
  });
  try {
    return await caller.call();
  } catch (error) {
    return (error as Error).message.replace(`GetPod ${target}: `, "");
  } finally {
    caller.close();
  }
}

test("calls over TLS have the token of a file; a failed handshake is one line with the reason", options, async (t) => {
  assert.ok(authority && other);
  const folder = mkdtempSync(join(tmpdir(), "client-grpc-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "the-token\n");
  const { certFile, keyFile } = authority.issue("server", { hosts: ["server.default"] });
  const pair = [{ cert_chain: readFileSync(certFile), private_key: readFileSync(keyFile) }];
  const ca = readFileSync(authority.caFile);
  const port = await serve(t, ServerCredentials.createSsl(null, pair));
  const mutualPort = await serve(t, ServerCredentials.createSsl(ca, pair, true));
  const plainPort = await serve(t, ServerCredentials.createInsecure());
  const resetPort = await reset(t);
  const resetTlsPort = await reset(t, { cert: pair[0]?.cert_chain, key: pair[0]?.private_key, ALPNProtocols: ["h2"] });
  const tls = credentials.createSsl(ca);
  const interceptors = await createTokenInterceptors(tokenFile);

  registerResolvers();
  assert.equal(await call(`127.0.0.1:${port}`, { tls, interceptors }), "the-token");
  assert.equal(
    await call(`static:///127.0.0.1:${port}`, { tls, serverName: "server.default", interceptors }),
    "the-token",
  );
  assert.equal(await call(`127.0.0.1:${plainPort}`, { interceptors }), "the-token");
  const foreign = other.issue("client");
  const [key, cert] = [readFileSync(foreign.keyFile), readFileSync(foreign.certFile)];
  for (const [at, more, want] of [
    [
      port,
      { tls: credentials.createSsl(readFileSync(other.caFile)) },
      /^UNAVAILABLE: no trusted authority has signed the server's/,
    ],
    [
      port,
      { tls, serverName: "x.test" },
      /^UNAVAILABLE: the server's certificate is for 127\.0\.0\.1, server\.default, not for x\.test;/,
    ],
    [mutualPort, { tls }, /^UNAVAILABLE: the server wants a client certificate: --tls-cert, --tls-key$/],
    [
      mutualPort,
      { tls: credentials.createSsl(ca, key, cert) },
      /^UNAVAILABLE: the server closes the connection before it speaks HTTP\/2: it may refuse the client's certificate$/,
    ],
    [
      port,
      {},
      /^UNAVAILABLE: the server closes the connection before it speaks HTTP\/2: it may speak TLS, see --tls, or refuse connections$/,
    ],
    [
      resetTlsPort,
      { tls },
      /^UNAVAILABLE: the server closes the connection before it speaks HTTP\/2: it may refuse the client's certificate$/,
    ],
    [
      resetPort,
      {},
      /^UNAVAILABLE: the server closes the connection before it speaks HTTP\/2: it may speak TLS, see --tls, or refuse connections$/,
    ],
    [plainPort, { tls }, /^UNAVAILABLE: the server does not speak TLS on this port$/],
  ] as const) {
    assert.match(await call(`127.0.0.1:${at}`, more), want);
  }
  rmSync(tokenFile);
  const message = /^cannot read the token file .*: no such file$/;
  await assert.rejects(createTokenInterceptors(tokenFile), { name: "ProgramError", exitCode: 2, message });
  const gone = credentials.createFromMetadataGenerator((_options, give) =>
    give(Object.assign(new Error("no token: it is gone"), { code: status.UNAVAILABLE })),
  );
  const missing = await call(`127.0.0.1:${port}`, { tls: credentials.combineChannelCredentials(tls, gone) });
  assert.match(missing, /^UNAVAILABLE: no token: it is gone$/);
});
