import assert from "node:assert/strict";
import { test } from "node:test";
import { redactTarget } from "./redact-target.ts";

test("a user, a password, a query and a fragment are not shown", () => {
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
    ["consul://u:secret%40h/web", "consul://…"],
    ["consul://u%3Asecret%2540h/web", "consul://…"],
    ["consul://u:secret?@h/web", "consul://…@h/web"],
    ["consul://u:secret#@h/web", "consul://…@h/web"],
    ["http://u%3asecret@h:xx/", "http://…@h:xx/"],
    ["consul://h/web%3Ftoken=secret", "consul://h/web…"],
    ["consul://h/web;token=secret", "consul://h/web…"],
    ["consul://h/web&token=secret", "consul://h/web…"],
    ["xyz:token=secret", "xyz:token…"],
    ["Bearer secret", "Bearer…"],
    ["", ""],
  ] as const) {
    assert.equal(redactTarget(text), want, text);
  }
});
