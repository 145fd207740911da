import assert from "node:assert/strict";
import { test } from "node:test";
import { findProxy } from "./environment-proxy.ts";

const proxied = "http://proxy:3128";
for (const [server, noProxy, isProxied] of [
  ["https://api.test", "", true],
  ["https://localhost", "", false],
  ["https://127.0.0.1:6443", "", false],
  ["https://127.9.9.9", "", false],
  ["https://[::1]:6443", "", false],
  ["https://api.test", "*", false],
  ["https://api.test", "test", false],
  ["https://api.test", "api.test", false],
  ["https://a.api.test", "api.test", false],
  ["https://aapi.test", "api.test", true],
  ["https://api.test", ".api.test", true],
  ["https://a.api.test", ".api.test", false],
  ["https://a.api.test", "*.api.test", false],
  ["https://API.test.", "other, Api.Test ,", false],
  ["https://api.test", "api.test:443", false],
  ["https://api.test:6443", "api.test:443", true],
  ["https://10.1.2.3", "10.0.0.0/8", false],
  ["https://11.1.2.3", "10.0.0.0/8", true],
  ["https://10.1.2.3", "10.1.2.3", false],
  ["https://10.1.2.3:6443", "10.1.2.3:6443", false],
  ["https://10.1.2.3", "1.2.3", true],
  ["https://10.1.2.3", "10.0.0.0/99,fd00::/8", true],
  ["https://[fd00::1]", "fd00::/8", false],
  ["https://[fd00::1]:6443", "fd00::1", false],
  ["https://[fd00::1]:6443", "[fd00::1]:6443", false],
  ["https://[fd00::1]:6443", "FD00:0::1", false],
  ["https://[fd00::1]:6443", "[FD00:0::1]:6443", false],
  ["https://[::ffff:10.1.2.3]", "10.1.2.3", false],
  ["https://[::ffff:10.1.2.3]", "10.0.0.0/8", false],
  ["https://[::ffff:127.0.0.1]", "", false],
  ["https://10.1.2.3", "::ffff:10.1.2.3", false],
] as const) {
  test(`${server} with NO_PROXY "${noProxy}": ${isProxied ? "the proxy" : "none"}`, () => {
    const env = { HTTPS_PROXY: proxied, HTTP_PROXY: "http://other", NO_PROXY: noProxy };
    assert.equal(findProxy(new URL(server), env), isProxied ? proxied : undefined);
  });
}

test("the variable is that of the server's scheme, also in lower case; a proxy without a scheme is an http one", () => {
  const [secure, plain] = [new URL("https://api.test"), new URL("http://api.test")];
  assert.equal(findProxy(secure, { HTTP_PROXY: proxied }), undefined);
  assert.equal(findProxy(plain, { HTTP_PROXY: proxied }), proxied);
  assert.equal(findProxy(secure, { https_proxy: "proxy:3128" }), proxied);
  assert.equal(findProxy(secure, { https_proxy: proxied, no_proxy: "api.test" }), undefined);
  assert.equal(findProxy(secure, { HTTPS_PROXY: "", https_proxy: proxied, NO_PROXY: "", no_proxy: "x" }), proxied);
  assert.equal(findProxy(secure, { https_proxy: proxied, NO_PROXY: "", no_proxy: "api.test" }), undefined);
});
