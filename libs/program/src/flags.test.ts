import assert from "node:assert/strict";
import { test } from "node:test";
import { bindAddressFlag, durationFlag, fileFlag, listFlag, numberFlag, portFlag, textFlag } from "./flags.ts";
import { parseFlags } from "./parse-flags.ts";

const share = numberFlag({ help: "", default: 0, min: 0, max: 1 });
const weight = numberFlag({ help: "", default: 1, above: 0, max: 1_000 });
const temperature = numberFlag({ help: "", default: 5, min: -1.5, max: 40 });

test("a number flag takes decimal numbers within its bounds", () => {
  for (const [flag, text, want] of [
    [share, "0", 0],
    [share, "0.25", 0.25],
    [share, "1", 1],
    [weight, "0.001", 0.001],
    [weight, "300", 300],
    [weight, "1000", 1_000],
    [temperature, "-1.5", -1.5],
  ] as const) {
    assert.equal(flag.parse(text), want, text);
  }
});

test("a number flag rejects anything else, with its bounds and the value", () => {
  const endless = "9".repeat(400);
  const above = "above 0 and at most 1000";
  for (const [flag, text, range] of [
    [share, "1.01", "from 0 to 1"],
    [share, "-0.1", "from 0 to 1"],
    [share, "10%", "from 0 to 1"],
    [share, "1e-1", "from 0 to 1"],
    [share, ".5", "from 0 to 1"],
    [share, "", "from 0 to 1"],
    [share, "NaN", "from 0 to 1"],
    [weight, "0", above],
    [weight, "-1", above],
    [weight, "Infinity", above],
    [weight, endless, above],
    [weight, "1000.1", above],
    [temperature, "-2", "from -1.5 to 40"],
  ] as const) {
    assert.throws(() => flag.parse(text), { name: "RangeError", message: `must be a number ${range}, got "${text}"` });
  }
});

const flags = { port: listFlag(portFlag({ help: "port to open", default: 0 })) };
const parse = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  parseFlags({ name: "sample", summary: "Samples.", flags }, argv, env);

test("a list flag keeps the order of its values, and is empty when it is not given", () => {
  assert.deepEqual(parse([]), { t: "run", values: { port: [] } });
  assert.deepEqual(parse(["--port", "2", "--port=1"]), { t: "run", values: { port: [2, 1] } });
});

test("an address to listen on is an IP address or a host name", () => {
  const { parse } = bindAddressFlag();
  for (const text of ["127.0.0.1", "::", "fe80::1%eth0", "localhost", "pod-1.svc", "1.example", "a_b."]) {
    assert.equal(parse(text), text);
  }
  for (const text of ["999.1.1.1", "1.2.3", "300", "127.0.0.1:80", "[::1]", "a b", "", "a..b", "http://h"]) {
    const message = `must be an IP address or a host name, without a port, got "${text}"`;
    assert.throws(() => parse(text), { name: "RangeError", message });
  }
});

test("the environment variable of a list has its values separated by spaces, and a flag beats all of them", () => {
  assert.deepEqual(parse([], { PORT: " 2  1\n3 " }), { t: "run", values: { port: [2, 1, 3] } });
  assert.deepEqual(parse(["--port", "4"], { PORT: "2 1" }), { t: "run", values: { port: [4] } });
});

test("an invalid value of a list, or an empty list, is an error of the flag", () => {
  const message =
    'sample: --port must be a whole number from 0 to 65535, got "x" (value 2 of 2; spaces separate values)';
  assert.deepEqual(parse(["--port", "1", "--port", "x"]), { t: "wrong", message });
  assert.deepEqual(parse(["--port", ""]), { t: "wrong", message: "sample: --port must not be empty" });
});

test("the help of a list flag says that it may be given more than once", () => {
  const help = parse(["--help"]);
  assert.match(
    help.t === "help" ? help.text : "",
    /port to open; may be given more than once \(default: none, env: PORT\)/,
  );
});

test("a duration flag may allow 0 below its minimum", () => {
  const flag = durationFlag({ help: "", default: 0, minMs: 10_000, orZero: true });
  assert.deepEqual([flag.parse("0"), flag.parse("0s"), flag.parse("10s")], [0, 0, 10_000]);
  assert.throws(() => flag.parse("9s"), { name: "RangeError", message: 'must be 0 or at least 10s, got "9s"' });
});

test("a file flag refuses the content of a file, by flag and by variable, and does not repeat it", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----";
  const spec = { name: "sample", summary: "", flags: { tlsKey: fileFlag({ help: "" }) } };
  const message = "must be the name of a file, and looks like the content of one";
  assert.deepEqual(parseFlags(spec, ["--tls-key", key], {}), { t: "wrong", message: `sample: --tls-key ${message}` });
  assert.deepEqual(parseFlags(spec, [], { TLS_KEY: key }), { t: "wrong", message: `sample: TLS_KEY ${message}` });
  assert.deepEqual(parseFlags(spec, [], { TLS_KEY: "tls.key" }), { t: "run", values: { tlsKey: "tls.key" } });
  assert.throws(() => spec.flags.tlsKey.parse(" "), { message: "must not be empty" });
});

test("a flag without a default shows none", () => {
  assert.equal(textFlag({ help: "", default: "" }).defaultText, "none");
});
