import assert from "node:assert/strict";
import { test } from "node:test";
import { choiceFlag, durationFlag, type Flag, integerFlag, portFlag, switchFlag, textFlag } from "./flags.ts";
import { parseFlags } from "./parse-flags.ts";

const flags = {
  target: textFlag({ help: "what to call", default: "localhost:80", metavar: "target" }),
  podName: textFlag({ help: "name to answer with", default: "", defaultText: "the host name" }),
  count: integerFlag({ help: "calls to make", default: 0, defaultText: "0, for ever", min: 0 }),
  choiceCount: integerFlag({ help: "pods to look at", default: 2, min: 2, max: 10 }),
  httpPort: portFlag({ help: "port for HTTP", default: 8080 }),
  drainDelay: durationFlag({ help: "how long to serve on", default: 5_000 }),
  timeout: durationFlag({ help: "time for a call", default: 90_000, minMs: 1 }),
  logLevel: choiceFlag({ help: "least level", default: "info", choices: ["info", "warn"], metavar: "level" }),
  quiet: switchFlag({ help: "say less" }),
};
const spec = { name: "sample", summary: "Samples.", flags };
const defaults = {
  target: "localhost:80",
  podName: "",
  count: 0,
  choiceCount: 2,
  httpPort: 8080,
  drainDelay: 5_000,
  timeout: 90_000,
  logLevel: "info",
  quiet: false,
};

/** The values that differ from the defaults, or the message. */
function parse(argv: readonly string[], env: NodeJS.ProcessEnv = {}): unknown {
  const parsed = parseFlags(spec, argv, env);
  if (parsed.t === "help") return parsed.text;
  if (parsed.t === "wrong") return parsed.message;
  assert.deepEqual(Object.keys(parsed.values), Object.keys(defaults));
  return Object.fromEntries(
    Object.entries(parsed.values).filter(([k, v]) => v !== defaults[k as keyof typeof defaults]),
  );
}

test("without flags and variables every value is the default", () => {
  assert.deepEqual(parse([]), {});
});

test("the value of an unknown option is not repeated", () => {
  assert.equal(parse(["--token=se'cret"]), "sample: unknown option '--token'; --help lists the flags");
});

test("a flag beats its variable, which beats the default", () => {
  assert.deepEqual(parse([], { HTTP_PORT: "81" }), { httpPort: 81 });
  assert.deepEqual(parse(["--http-port", "82"], { HTTP_PORT: "81" }), { httpPort: 82 });
  assert.deepEqual(
    parse(["--http-port=82"], { HTTP_PORT: "nonsense" }),
    { httpPort: 82 },
    "a beaten variable is not read",
  );
});

test("of a flag that is given twice the last value counts", () => {
  assert.deepEqual(parse(["--count", "1", "--count", "2"]), { count: 2 });
});

test("camelCase becomes kebab-case on the command line and SNAKE_CASE in the environment", () => {
  const env = { POD_NAME: "a", DRAIN_DELAY: "1s", podName: "b", "POD-NAME": "c", PODNAME: "d" };
  assert.deepEqual(parse([], env), { podName: "a", drainDelay: 1_000 });
  assert.deepEqual(parse(["--pod-name", "a", "--drain-delay", "1s"]), { podName: "a", drainDelay: 1_000 });
});

test("a variable that is set but empty counts as not set; an empty flag does not", () => {
  assert.deepEqual(parse([], { POD_NAME: "", COUNT: "", QUIET: "" }), {});
  assert.equal(parse(["--pod-name", ""]), "sample: --pod-name must not be empty");
});

test("a switch is on when it is given; its variable switches it on or off", () => {
  assert.deepEqual(parse(["--quiet"], { QUIET: "false" }), { quiet: true });
  for (const text of ["true", "1"]) assert.deepEqual(parse([], { QUIET: text }), { quiet: true }, text);
  for (const text of ["false", "0"]) assert.deepEqual(parse([], { QUIET: text }), {}, text);
});

test("each kind of flag parses its values", () => {
  for (const [argv, want] of [
    [["--count", "12"], { count: 12 }],
    [["--choice-count", "10"], { choiceCount: 10 }],
    [["--http-port", "0"], { httpPort: 0 }],
    [["--http-port", "65535"], { httpPort: 65_535 }],
    [["--drain-delay", "0"], { drainDelay: 0 }],
    [["--timeout", "1.5s"], { timeout: 1_500 }],
    [["--log-level", "warn"], { logLevel: "warn" }],
    [["--target", "-"], { target: "-" }],
    [["--target=--x"], { target: "--x" }],
    [["--target", "a b"], { target: "a b" }],
  ] as const) {
    assert.deepEqual(parse(argv), want, argv.join(" "));
  }
});

test("an invalid value is an error that names the flag or the variable, the expectation and the value", () => {
  const number = (range: string, got: string) => `must be a whole number ${range}, got "${got}"`;
  for (const [flag, variable, got, want] of [
    ["--target", "TARGET", "  ", "must not be empty"],
    ["--count", "COUNT", "-1", number("of at least 0", "-1")],
    ["--count", "COUNT", "1.5", number("of at least 0", "1.5")],
    ["--count", "COUNT", "1e3", number("of at least 0", "1e3")],
    ["--count", "COUNT", "0x10", number("of at least 0", "0x10")],
    ["--count", "COUNT", "9007199254740993", number("from 0 to 9007199254740991", "9007199254740993")],
    ["--choice-count", "CHOICE_COUNT", "1", number("from 2 to 10", "1")],
    ["--choice-count", "CHOICE_COUNT", "11", number("from 2 to 10", "11")],
    ["--http-port", "HTTP_PORT", "65536", number("from 0 to 65535", "65536")],
    ["--http-port", "HTTP_PORT", "tcp://10.0.0.1:80", number("from 0 to 65535", "tcp://10.0.0.1:80")],
    ["--drain-delay", "DRAIN_DELAY", "5", 'must be a duration such as 300ms, 5s or 2m, got "5"'],
    ["--drain-delay", "DRAIN_DELAY", "600h", 'must be at most 2147483647ms, got "600h"'],
    ["--timeout", "TIMEOUT", "0", 'must be at least 1ms, got "0"'],
    ["--log-level", "LOG_LEVEL", "INFO", 'must be one of info, warn, got "INFO"'],
    ["--log-level", "LOG_LEVEL", "toString", 'must be one of info, warn, got "toString"'],
  ] as const) {
    assert.equal(parse([`${flag}=${got}`]), `sample: ${flag} ${want}`);
    assert.equal(parse([], { [variable]: got }), `sample: ${variable} ${want}`);
  }
  assert.equal(parse([], { QUIET: "yes" }), 'sample: QUIET must be true or false, got "yes"');
});

test("a wrong command line is one line that names the program and what is wrong", () => {
  for (const [argv, want] of [
    [["--nothing"], /unknown option '--nothing'/],
    [["--cuont", "1"], /unknown option '--cuont'.*Did you mean --count/],
    [["--count"], /option '--count <number>' argument missing/],
    [["--quiet=yes"], /--quiet takes no value; leave =… out$/],
    [["--help=all"], /--help takes no value; leave =… out$/],
    [["extra", "more"], /too many arguments.*got 2/],
    [["-x"], /unknown option '-x'/],
    [["--count", "1\n2\r\n3"], /--count must be a whole number of at least 0, got "1 2 3"$/],
  ] as const) {
    const message = String(parse(argv));
    assert.match(message, want);
    assert.match(message, /^sample: [^\n\r]+$/, `want one line, got ${JSON.stringify(message)}`);
  }
});

test("the error of a flag's own parser is one line too", () => {
  const json: Flag<unknown> = {
    metavar: "json",
    help: "",
    default: {},
    defaultText: "",
    parse: (text) => JSON.parse(text),
  };
  const parsed = parseFlags({ name: "sample", summary: "", flags: { json } }, ["--json", "{\n  a\n}"], {});
  assert.equal(parsed.t, "wrong");
  assert.match(parsed.t === "wrong" ? parsed.message : "", /^sample: --json [^\n]+$/);
});

test("the help lists each flag with its value, default and variable, the same for -h and --help", () => {
  const help = String(parse(["--help"]));
  assert.equal(parse(["-h", "--count", "nonsense"]), help);
  const words = help.replace(/\s+/g, " ");
  for (const want of [
    "Usage: sample",
    "Samples.",
    "--target <target> what to call (default: localhost:80, env: TARGET)",
    "--pod-name <text> name to answer with (default: the host name, env: POD_NAME)",
    "--count <number> calls to make (default: 0, for ever, env: COUNT)",
    "--http-port <port> port for HTTP (default: 8080, env: HTTP_PORT)",
    "--drain-delay <duration> how long to serve on (default: 5s, env: DRAIN_DELAY)",
    "--timeout <duration> time for a call (default: 90s, env: TIMEOUT)",
    "--log-level <level> least level: info, warn (default: info, env: LOG_LEVEL)",
    "--quiet say less (default: off, env: QUIET)",
  ]) {
    assert.ok(words.includes(want), `want "${want}" in:\n${help}`);
  }
  assert.ok(
    help.split("\n").every((line) => line.length <= 110),
    `want lines of at most 110 columns:\n${help}`,
  );
});

test("the help fits into the columns of the terminal", () => {
  for (const columns of [76, 80]) {
    const parsed = parseFlags(spec, ["--help"], {}, columns);
    const text = parsed.t === "help" ? parsed.text : "";
    const longest = Math.max(...text.split("\n").map((line) => line.length));
    assert.ok(longest > columns - 20 && longest <= columns, `${columns} columns, got ${longest}:\n${text}`);
  }
});

test("a variable that is taken for another program's is an error, unless the right one is set", () => {
  const mistaken = { ...spec, mistaken: { TARGETS: "target" } as const };
  const wrong = parseFlags(mistaken, [], { TARGETS: "a" });
  assert.deepEqual(wrong, { t: "wrong", message: "sample: TARGETS is not a variable of this program; set TARGET" });
  assert.equal(parseFlags(mistaken, [], { TARGETS: "a", TARGET: "b" }).t, "run");
  assert.equal(parseFlags(mistaken, ["--target", "b"], { TARGETS: "a" }).t, "run");
});

test("two ports to listen on must differ, unless they are 0", () => {
  const port = (fallback: number) => portFlag({ help: "port", default: fallback });
  const ports = {
    name: "sample",
    summary: "Samples.",
    flags: { httpPort: port(8080), grpcPort: port(30051), adminPort: port(0) },
  };
  const messageOf = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const parsed = parseFlags(ports, argv, env);
    return parsed.t === "wrong" ? parsed.message : parsed.t;
  };
  assert.equal(messageOf(["--grpc-port=8080"]), "sample: --grpc-port must differ from --http-port, got 8080 for both");
  assert.equal(
    messageOf(["--http-port=90"], { ADMIN_PORT: "90" }),
    "sample: ADMIN_PORT must differ from --http-port, got 90 for both",
  );
  assert.equal(messageOf(["--http-port=0", "--grpc-port=0"]), "run");
  assert.equal(messageOf(["--http-port=1", "--grpc-port=2", "--admin-port=3"]), "run");
});
