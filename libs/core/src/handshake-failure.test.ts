import assert from "node:assert/strict";
import { test } from "node:test";
import { describeHandshakeFailure } from "./handshake-failure.ts";

const names = { authority: "AUTHORITY", clientCertificate: "CERT", otherName: "NAME names another" };

test("what OpenSSL and Node say of a failed handshake is put in words, with what may help", () => {
  const ssl = (reason: string) => `40F7:error:0A000410:SSL routines:ssl3_read_bytes:${reason}:../rec_layer_s3.c:916:`;
  const cases: readonly (readonly [string, string | undefined])[] = [
    [
      "self-signed certificate in certificate chain",
      "no trusted authority has signed the server's certificate; AUTHORITY names the file of its authority",
    ],
    [ssl("wrong version number"), "the server does not speak TLS on this port"],
    [ssl("sslv3 alert bad certificate"), "the server refuses the client's certificate, or that it has none: CERT"],
    [ssl("tlsv13 alert certificate required"), "the server wants a client certificate: CERT"],
    [
      "Hostname/IP does not match certificate's altnames: Host: a.example. is not in the cert's altnames: DNS:b.example",
      "the server's certificate is for b.example, not for a.example; NAME names another",
    ],
    [
      "Hostname/IP does not match certificate's altnames: Host: a.example. is not cert's CN: b.example",
      "the server's certificate is for b.example, not for a.example; NAME names another",
    ],
    // Node's own check lists no names of hosts here, so there may be some.
    [
      "Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list: ",
      "the server's certificate is not for 10.0.0.1; NAME names another",
    ],
    [ssl("made up"), "the TLS handshake failed: made up"],
    ["connect ECONNREFUSED 127.0.0.1:1", undefined],
  ];
  for (const [message, want] of cases) assert.equal(describeHandshakeFailure(message, names), want);
  const insecure = "--no-tls connects without";
  assert.equal(
    describeHandshakeFailure(ssl("wrong version number"), { ...names, insecure }),
    "the server does not speak TLS on this port; --no-tls connects without",
  );
});
