import assert from "node:assert/strict";
import { test } from "node:test";
import { explainConnectFailure } from "./connect-failure.ts";

const names = {
  tls: "--tls",
  authority: "--tls-ca",
  otherName: "--server-name names another",
  clientCertificate: "--tls-cert",
};

test("a connection that ends or is reset before the first frame is explained by what configures it", () => {
  for (const reason of ["Failed to connect", "read ECONNRESET"]) {
    assert.match(explainConnectFailure(reason, names, true), /: it may refuse the client's certificate: --tls-cert$/);
    assert.match(explainConnectFailure(reason, names, false), /: it may speak TLS: --tls; or refuse connections$/);
  }
  assert.equal(explainConnectFailure("connect ECONNREFUSED", names, true), "connect ECONNREFUSED");
});
