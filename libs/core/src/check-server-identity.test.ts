import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import type { PeerCertificate } from "node:tls";
import { assertNothingLeft, FakeProxy, ManualClock, makeAuthority } from "../testing/index.ts";
import { checkServerIdentity } from "./check-server-identity.ts";
import { describeHandshakeFailure } from "./handshake-failure.ts";
import { HttpClient, RequestGuard } from "./http/index.ts";

after(assertNothingLeft);

const names = { authority: "", clientCertificate: "", otherName: "use another" };

test("the error has the names of the certificate, of whichever kind they and the host are", () => {
  const cases = [
    ["127.0.0.1", { subjectaltname: "DNS:a.example, DNS:b.example" }, "for a.example, b.example, not for 127.0.0.1"],
    ["10.0.0.1", { subjectaltname: "DNS:a.example, IP Address:::1" }, "for a.example, ::1, not for 10.0.0.1"],
    ["c.example", { subjectaltname: "IP Address:127.0.0.1" }, "for 127.0.0.1, not for c.example"],
    ["127.0.0.1", { subject: { CN: "a.example" } }, "for a.example, not for 127.0.0.1"],
    ["c.example", { subject: { CN: "a.example" } }, "for a.example, not for c.example"],
    ["c.example", { subject: {} }, "not for c.example"],
  ] as const;
  for (const [host, certificate, want] of cases) {
    const error = checkServerIdentity(host, certificate as unknown as PeerCertificate);
    const described = describeHandshakeFailure(error?.message ?? "", names);
    assert.equal(described, `the server's certificate is ${want}; use another`);
  }
  const own = { subjectaltname: "DNS:a.example" } as unknown as PeerCertificate;
  assert.equal(checkServerIdentity("a.example", own), undefined);
});

test("HTTP clients show these names, with a proxy and without", async (t) => {
  const authority = makeAuthority();
  if (!authority) return t.skip("openssl is not installed");
  const { certFile, keyFile } = authority.issue("server", { hosts: ["other.example"], hasAddress: false });
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = await FakeProxy.start();
  t.after(async () => {
    await proxy.close();
    await server[Symbol.asyncDispose]();
    authority.remove();
  });
  const tls = { ca: readFileSync(authority.caFile) };
  for (const by of [{}, { proxy: proxy.url }]) {
    const client = new HttpClient({ isSecure: true, ...by });
    const guard = new RequestGuard(new AbortController().signal, new ManualClock());
    const answer = client.exchange({ host: "127.0.0.1", port, path: "/", tls }, guard, async () => {});
    await assert.rejects(answer, /Host: 127\.0\.0\.1\. is not in the cert's altnames: DNS:other\.example$/);
    guard.release();
    client.close();
  }
});
