import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFlags } from "@grpc-lb/program";
import { requireEffect, spec } from "./flags.ts";

test("a wrong flag or variable is refused with one line that names it", () => {
  for (const [args, env, line] of [
    [["--http-port", "http"], {}, 'server: --http-port must be a whole number from 0 to 65535, got "http"'],
    [
      [],
      { MAX_CONNECTION_AGE: "30" },
      'server: MAX_CONNECTION_AGE must be a duration such as 300ms, 5s or 2m, got "30"',
    ],
    [["--max-connection-age", "200ms"], {}, 'server: --max-connection-age must be 0 or at least 1s, got "200ms"'],
    [["--latency", "200"], {}, 'server: --latency must be a duration such as 300ms, 5s or 2m, got "200"'],
    [[], { ERROR_RATE: "5" }, 'server: ERROR_RATE must be a number from 0 to 1, got "5"'],
    [["--capacity=-1"], {}, 'server: --capacity must be a whole number of at least 0, got "-1"'],
    [["--capacity", "2"], {}, "server: --capacity has no effect without --latency or --load-report"],
    [["--latency", "0"], { CAPACITY: "2" }, "server: --capacity has no effect without --latency or --load-report"],
    [["--faults-token-file", "/t"], {}, "server: --faults-token-file has no effect without --admin-port"],
    [["--weight", "0"], {}, 'server: --weight must be a number above 0 and at most 4294967295, got "0"'],
    [["--weight", "1e308"], {}, 'server: --weight must be a number above 0 and at most 4294967295, got "1e308"'],
    [["--advertise", "a:1"], {}, "server: --advertise has no effect without --register"],
    [["--weight", "3"], {}, "server: --weight has no effect without --load-report or --register"],
    [[], { LOAD_REPORT: "yes" }, 'server: LOAD_REPORT must be true or false, got "yes"'],
    [["--pod-name", "$(POD_NAME)"], {}, 'server: --pod-name must be a pod name, got "$(POD_NAME)"'],
  ] as const) {
    const parsed = parseFlags(spec, args, env);
    if (parsed.t === "wrong") assert.equal(parsed.message, line);
    else if (parsed.t === "run") {
      const want = { name: "ProgramError", exitCode: 2, message: line.replace(/^server: /, "") };
      assert.throws(() => requireEffect(parsed.values), want, `${args}`);
    } else assert.fail(`${args} asks for the help`);
  }
});
