import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTarget } from "../../target.ts";
import { maxTargetLength } from "./read-target.ts";

const fill = (piece: string, before = "", after = "") =>
  before + piece.repeat(Math.floor((maxTargetLength - before.length - after.length) / piece.length)) + after;
const numbered = (count: number, piece: (n: number) => string) => Array.from({ length: count }, (_, n) => piece(n));

for (const [what, text] of [
  ["tags", fill("tag=a&", "consul://c/s?", "x")],
  ["tags of their own", `consul://c/s?${numbered(8_000, (n) => `t=${n}`).join("&")}`],
  ["known tags", fill("tag=a&", "consul://c/s?", "tag=b")],
  ["escapes", fill("%41", "consul://c/")],
  ["wrong escapes", fill("%", "consul://c/s?tag=")],
  ["slashes", fill("/", "consul://c/", "\n?")],
  ["question marks", fill("?", "consul://c/s")],
  ["at signs", fill("@", "consul://c/s")],
  ["escaped at signs", fill("%40", "consul://c/")],
  ["equal signs", fill("=", "consul://c/s?a")],
  ["names without a value", fill("a", "consul://c/s?")],
  ["percent signs in a name", fill("%", "consul://c/s/")],
  ["dots", fill(".", "kubernetes:///s")],
  ["labels", fill("a.", "kubernetes:///", "a")],
  ["colons", fill(":", "dns-poll:///a")],
  ["hyphens", fill("-", "dns-poll:///a", ":80")],
  ["commas", fill(",", "etcd://a", "/s")],
  ["members", fill("a:1,", "etcd://", "b/s")],
  ["brackets", fill("[", "static:///")],
  ["the same address", fill("a:1,", "static:///", "a:1")],
  ["addresses", `static:///${numbered(6_000, (n) => `a${n}:1`).join()}`],
  [
    "addresses and a wrong weight",
    `static:///${numbered(4_000, (n) => `a${n}:1`).join()}?weights=${fill("1,").slice(0, 8_000)}x`,
  ],
  ["quotes", fill('"', "consul://c/a/")],
  ["a long scheme", fill("a", "", "://c")],
  ["letters and digits", fill("a1", "consul://c/a/")],
  ["letters, digits and hyphens", fill("a1-", "consul://c/a/")],
  ["spaces", fill(" ")],
] as const) {
  test(`${text.length} characters of ${what} are read or refused in time, in few words`, () => {
    assert.ok(text.length <= maxTargetLength);
    const before = process.cpuUsage();
    let message = "";
    try {
      parseTarget(text);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
      ({ message } = error);
    }
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1_000;
    assert.ok(tookMs < 250, `took ${tookMs} ms`);
    assert.ok(message.length < 2_000, message);
  });
}

test("a target that is too long is refused without being read", () => {
  assert.throws(() => parseTarget("static:///".padEnd(maxTargetLength + 1, "a")), {
    name: "RangeError",
    message: "target must have at most 65536 characters, got 65537",
  });
});
