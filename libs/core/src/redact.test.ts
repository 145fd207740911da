import assert from "node:assert/strict";
import { test } from "node:test";
import { redactAddress, redactReason, redactTarget } from "./redact.ts";

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

/** Spellings with a secret in them; each contains "hunter2", or the JWT, or is long. */
const spellings: readonly (readonly [text: string, shown: string])[] = [
  ["consul://me:hunter2@c/s", "consul://…@c/s"],
  ["consul://:hunter2@c/s", "consul://…@c/s"],
  ["consul://hunter2@c/s", "consul://…@c/s"],
  ["consul://me:hun/ter2@c/s", "consul://…@c/s"],
  ["consul://me:hun?ter2@c/s", "consul://…@c/s"],
  ["consul://me:a@hunter2@c/s", "consul://…@c/s"],
  ["consul://me:hunter2%40c/s", "consul://…@c/s"],
  ["consul://me%3Ahunter2%40c/s", "consul://…@c/s"],
  ["consul:me:hunter2@c/s", "…@c/s"],
  ["consul:///me:hunter2@c", "consul:///…@c"],
  ["consul://c/s/x?token=hunter2", "consul://c/s/x?token=…"],
  ["consul://c/s/x?tag=v1%26token=hunter2", "consul://c/s/x?tag=…"],
  ["consul://c/s/x?tag=v1%2526token%253Dhunter2", "consul://c/s/x?tag=…"],
  ["consul://c/s/x?tag=v1;token=hunter2", "consul://c/s/x?tag=v1;token=…"],
  ["consul://c/s/x?tag=v1%23hunter2", "consul://c/s/x?tag=…"],
  ["consul://me:hunter2%2540c/s", "consul://…@c/s"],
  ["consul://c/s/x?token%253Dhunter2", "consul://c/s/x?token%253D…"],
  ["consul://c/s hunter2", "consul://c/s…"],
  ["consul://c/s\nhunter2=", "consul://c/s…"],
  ["consul://c/s/x?tag=v1&token=hunter2", "consul://c/s/x?tag=v1&token=…"],
  ["consul://c/s/x?token=a=hunter2", "consul://c/s/x?token=…"],
  ["consul://c/s/x?token=a?hunter2", "consul://c/s/x?token=…"],
  ["consul://c/s/x?%74oken=hunter2", "consul://c/s/x?%74oken=…"],
  ["consul://c/s/x?t%61g=hunter2", "consul://c/s/x?t%61g=…"],
  ["consul://c/s/x?token%3Dhunter2", "consul://c/s/x?token%3D…"],
  ["consul://c/s/x?token%3dhunter2", "consul://c/s/x?token%3d…"],
  ["consul://c/s/x?TOKEN=hunter2", "consul://c/s/x?TOKEN=…"],
  ["consul://c/s/x#token=hunter2", "consul://c/s/x#…"],
  ["consul://h:x/s#hunter2", "consul://h:x/s#…"],
  ["consul://c/s/x? token = hunter2", "consul://c/s/x? token = …"],
  ["consul://c/s/x?token:hunter2", "consul://c/s/x?…"],
  ["consul://c/s/x;token=hunter2", "consul://c/s/x;token=…"],
  ["consul://c/s/x&token=hunter2", "consul://c/s/x&token=…"],
  ["consul://c/s/token=hunter2", "consul://c/s/token=…"],
  [`consul://c/s/${jwt}`, "consul://c/s/…"],
  ["consul://c/s/8b1247ef-48f7-4c14-a1a5-0c4d3e5f6a7b", "consul://c/s/…"],
  ["consul://c/s/9f86d081884c7d659a2feaa0c55ad015", "consul://c/s/…"],
  ["consul://c/s/ghp_16C7e42F292c6912E7710c838347Ae178B4a", "consul://c/s/…"],
  [`consul://c/s/x?tag=${jwt}`, "consul://c/s/x?tag=…"],
  ["CONSUL://me:hunter2@c/s", "CONSUL://…@c/…"],
  ["Consul://c/s?token=hunter2", "Consul://c/…"],
  ["https://me:hunter2@host/x", "https://…@host/…"],
  ["https://hooks.example/services/T0/B0/hunter2", "https://hooks.example/…"],
  ["https://host?key=hunter2", "https://host/…"],
  ["https://host#hunter2", "https://host/…"],
  [`https://${jwt}/`, "https://…/…"],
  ["postgres://me:hunter2@db:5432/x", "postgres://…@db:5432/…"],
  ["me:hunter2@host", "…"],
  ["hunter2", "…"],
  ["Bearer hunter2", "…"],
  ["token=hunter2", "…"],
  [jwt, "…"],
  ["//hunter2", "//hunter2"],
  ["file:///run/me:hunter2@host/", "file:///…@host/"],
  ["file:///e.yaml?key=hunter2", "file:///e.yaml?key=…"],
  [" consul://me:hunter2@c/s", "…"],
];

for (const [text, shown] of spellings) {
  test(`${text} is shown as ${shown}`, () => {
    const isKnown = /^(consul|file):/.test(text);
    assert.equal(redactTarget(text, { isKnown, parameters: ["tag"] }), shown);
  });
}

test("what is not secret is shown", () => {
  for (const [text, isKnown] of [
    ["", false],
    ["server:80", false],
    ["server.example:50051", false],
    ["kubernetes:///checkout-service-v2-canary.production-eu1:grpc", true],
    ["etcd://a:2379,b:2379/team/shop/checkout_service_version_2_canary", true],
    ["dns-poll://[fd00::1]:53/server.example:80?tag=v1", true],
  ] as const) {
    assert.equal(redactTarget(text, { isKnown, parameters: ["tag"] }), text);
  }
});

test("control characters, such as those of a terminal, are escaped", () => {
  const shown = redactTarget("consul://c/\u001b[31m\u202e\u009b", { isKnown: true, parameters: [] });
  assert.equal(shown, "consul://c/\\u001b[31m\\u202e\\u009b");
});

test("a long text is cut", () => {
  const shown = redactTarget(`consul://c/${"a/".repeat(10_000)}`, { isKnown: true, parameters: [] });
  assert.equal(shown.length, 201);
});

test("a reason repeats pieces of a target by the same rules, and its own words as they are", () => {
  for (const [why, shown] of [
    ["it names no service", "it names no service"],
    [
      "it must not carry a user (an @ in a name is written %40)",
      "it must not carry a user (an @ in a name is written %40)",
    ],
    ['limit must be a whole number >= 1, got "x"', 'limit must be a whole number >= 1, got "x"'],
    ['"me:hunter2%40c" is not a host', '"…@c" is not a host'],
    [
      'a path behind three slashes, and "token=hunter2" behind two',
      'a path behind three slashes, and "token=…" behind two',
    ],
    ['a path behind three slashes, and "hunter2" behind two', 'a path behind three slashes, and "…" behind two'],
    ['got "\u001b[31m"', 'got "\\u001b[31m"'],
  ] as const) {
    assert.equal(redactReason(why, "file://hunter2/q@host/y", []), shown);
  }
  assert.ok(redactReason(`got "${"a ".repeat(10_000)}"`, "", []).length < 300);
});

test("of an address neither a user, a password, a query, a fragment nor a token is shown", () => {
  for (const [text, want] of [
    ["server:80", "server:80"],
    ["ftp://server/pod", "ftp://server/pod"],
    ["consul://a:8500/server?token=secret", "consul://a:8500/server?…"],
    ["consul://a:8500/server#secret", "consul://a:8500/server#…"],
    ["a?b#secret?secret", "a?…"],
    ["http://user:secret@server", "http://…@server"],
    ["http:/user:secret@server", "http:/…@server"],
    ["user:secret@server:x?token=secret", "…@server:x?…"],
    ["http://user:sec/ret@server", "http://…@server"],
    ["http://user:a@secret@server", "http://…@server"],
    ["a\n?token=secret", "a…"],
    ["consul://u:secret%40h/web", "consul://…@h/web"],
    ["consul://u%3Asecret%2540h/web", "consul://…@h/web"],
    ["consul://u:secret?@h/web", "consul://…@h/web"],
    ["consul://u:secret#@h/web", "consul://…@h/web"],
    ["http://u%3asecret@h:xx/", "http://…@h:xx/"],
    ["consul://h/web%3Ftoken=secret", "consul://h/web…"],
    ["consul://h/web;token=secret", "consul://h/web…"],
    ["consul://h/web&token=secret", "consul://h/web…"],
    ["xyz:token=secret", "xyz:token…"],
    ["Bearer secret", "Bearer…"],
    [`server/${jwt}`, "server/…"],
    ["server\u001b[31m", "server\\u001b[31m"],
    ["", ""],
    [" ", " "],
  ] as const) {
    assert.equal(redactAddress(text).replace(/…(\.…)+/g, "…"), want, text);
  }
  assert.equal(redactAddress("a".repeat(10_000)).length, 201);
});
