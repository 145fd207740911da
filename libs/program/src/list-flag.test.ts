import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFlags, portFlag } from "./flags.ts";
import { listFlag } from "./list-flag.ts";

const flags = { port: listFlag(portFlag({ help: "port to open", default: 0 })) };
const parse = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  parseFlags({ name: "sample", summary: "Samples.", flags }, argv, env);

test("a list flag takes what is given more than once, in its order, and nothing when it is not given", () => {
  assert.deepEqual(parse([]), { t: "run", values: { port: [] } });
  assert.deepEqual(parse(["--port", "2", "--port=1"]), { t: "run", values: { port: [2, 1] } });
});

test("its environment variable parts the values by spaces, and a flag beats all of them", () => {
  assert.deepEqual(parse([], { PORT: " 2  1\n3 " }), { t: "run", values: { port: [2, 1, 3] } });
  assert.deepEqual(parse(["--port", "4"], { PORT: "2 1" }), { t: "run", values: { port: [4] } });
});

test("one value that is wrong, or none at all, is refused in the words of the flag that is listed", () => {
  const message = 'sample: --port must be a whole number from 0 to 65535, got "x"';
  assert.deepEqual(parse(["--port", "1", "--port", "x"]), { t: "wrong", message });
  assert.deepEqual(parse(["--port", ""]), { t: "wrong", message: "sample: --port must not be empty" });
});

test("the help says that it may be given more than once", () => {
  const help = parse(["--help"]);
  assert.match(
    help.t === "help" ? help.text : "",
    /port to open; may be given more than once \(default: none, env: PORT\)/,
  );
});
