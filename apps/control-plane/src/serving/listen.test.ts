import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft, makeAuthority, until } from "@grpc-lb/core/testing";
import { openServerTls } from "@grpc-lb/operations/tls";
import { AdsClient, type XdsTls } from "@grpc-lb/xds/client";
import { listen } from "./listen.ts";

afterEach(assertNothingLeft);

test("a client that speaks TLS to a port without it is reported once a minute", async () => {
  const refused: string[] = [];
  const onRefused = (reason: string, peer: string) => refused.push(`${peer}: ${reason}`);
  const { port, drain } = await listen({ host: "127.0.0.1", port: 0, services: [], clock: systemClock, onRefused });
  for (const _ of [1, 2]) {
    const client = new AdsClient({ host: "127.0.0.1", port, credentials: { tls: {} } });
    await assert.rejects(
      client.attempt(() => {}, new AbortController().signal),
      /does not speak TLS on this port/,
    );
  }
  await until(() => refused.length > 0, "the reason");
  assert.deepEqual(refused, ["127.0.0.1: the client does not speak HTTP/2; it may speak TLS"]);
  await drain(0, 0);
});

test("a TLS handshake that fails is reported with its reason and the client's address, each reason once a minute", async (t) => {
  const authority = makeAuthority();
  if (!authority) return t.skip("openssl is not installed");
  t.after(() => authority.remove());
  const { certFile: tlsCert, keyFile: tlsKey } = authority.issue("server", { hosts: ["localhost"] });
  const tls = await openServerTls({ tlsCert, tlsKey, tlsClientCa: authority.caFile }, {});
  const refused: string[] = [];
  const onRefused = (reason: string, peer: string) => refused.push(`${peer}: ${reason}`);
  const { port, drain } = await listen({
    host: "127.0.0.1",
    port: 0,
    services: [],
    tls,
    clock: systemClock,
    onRefused,
  });
  const fail = (tls?: XdsTls) =>
    assert.rejects(
      new AdsClient({ host: "127.0.0.1", port, credentials: { tls } }).attempt(() => {}, new AbortController().signal),
    );
  for (const _ of [1, 2]) {
    await fail();
    await fail({ caFile: authority.caFile });
  }
  await until(() => refused.length === 2, "both reasons");
  const [noTls, noCertificate] = ["the client does not speak TLS", "the client has no certificate"];
  assert.deepEqual(refused.sort(), [`127.0.0.1: ${noTls}`, `127.0.0.1: ${noCertificate}`].sort());
  await drain(0, 0);
  await tls?.close();
});
