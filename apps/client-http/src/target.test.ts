import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHttpTarget, targetFlag } from "./target.ts";

test("a target is a URL or host:port; what is missing is http and /pod", () => {
  for (const [text, want] of [
    ["server", "http://server/pod"],
    ["server:80", "http://server/pod"],
    ["server:8080", "http://server:8080/pod"],
    ["10.0.0.1:8080", "http://10.0.0.1:8080/pod"],
    ["[::1]:8080", "http://[::1]:8080/pod"],
    ["server.default.svc.cluster.local", "http://server.default.svc.cluster.local/pod"],
    ["server/other", "http://server/other"],
    ["server:8080/other?x=1", "http://server:8080/other?x=1"],
    ["server?x=1", "http://server/pod?x=1"],
    ["http://server", "http://server/pod"],
    ["http://server/", "http://server/pod"],
    ["http://server/pod", "http://server/pod"],
    ["http://server/other/", "http://server/other/"],
    ["https://server:8443/pod", "https://server:8443/pod"],
    ["HTTP://SERVER/Pod", "http://server/Pod"],
  ] as const) {
    assert.equal(parseHttpTarget(text).href, want, text);
  }
});

test("anything else is an error with the text", () => {
  for (const text of [
    "",
    " ",
    "http://",
    "://server",
    "ftp://server/pod",
    "file:///etc/passwd",
    "unix:///socket",
    "http:server:80",
    "server:99999",
    "server:http",
    "::1",
  ]) {
    const message = `must be a URL such as http://server/pod or a host such as server:80, got "${text}"`;
    assert.throws(() => parseHttpTarget(text), { name: "RangeError", message }, `"${text}"`);
  }
});

test("of several words only the first is repeated: the others may be a secret", () => {
  assert.throws(() => parseHttpTarget("a b"), /got "a…"$/);
});

test("a user or a password is an error that does not repeat it", () => {
  for (const text of ["http://me:secret@server", "secret@server", "http://:secret@server"]) {
    assert.throws(() => parseHttpTarget(text), { name: "RangeError", message: "must not have a user or a password" });
  }
});

test("the default is the one that the help shows", () => {
  assert.deepEqual(targetFlag.parse(targetFlag.defaultText), targetFlag.default);
});

test("a kubernetes target names a service, and a wrong one is an error with the reason", () => {
  const want = { t: "kubernetes", service: "server", namespace: "shop", port: "http" };
  assert.deepEqual(targetFlag.parse("kubernetes:///server.shop:http"), want);
  assert.throws(() => targetFlag.parse("kubernetes:///server:http?x=1"), /is invalid: .*unknown parameter "x"/);
});

test("an error never repeats a query or a fragment, as it may be a secret", () => {
  for (const text of [
    "consul://127.0.0.1:8500/server?token=secret",
    "consul://127.0.0.1:8500/server#secret",
    "etcd://a:2379/server?password=secret&x=1",
    "kubernetes:///server:http?token=secret",
    "ftp://server/pod?token=secret",
    "server:http?token=secret",
    "a b?token=a\nsecret",
  ]) {
    assert.throws(
      () => targetFlag.parse(text),
      ({ message }: Error) => {
        assert.doesNotMatch(message, /secret/);
        return true;
      },
    );
  }
});
