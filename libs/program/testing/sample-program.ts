import { systemClock } from "@grpc-lb/core";
import { choiceFlag, createLogger, ProgramError, runProgram } from "../src/index.ts";

const does = [
  "return",
  "return-3",
  "refuse",
  "crash",
  "wait",
  "never-end",
  "write",
  "write-errors",
  "forget",
  "log",
] as const;
const flags = { do: choiceFlag({ help: "what to do", default: "return", choices: does, metavar: "what" }) };

/** A small program for the tests of `runProgram`: `--do` chooses how it ends, or that it does not. */
void runProgram({ name: "sample", summary: "Behaves as --do says.", flags }, async ({ flags, signal }) => {
  const write = (line: string) => process.stdout.write(`${line}\n`);
  switch (flags.do) {
    case "return":
      return undefined;
    case "return-3":
      return 3;
    case "refuse":
      throw new ProgramError("the port is taken", { exitCode: 2 });
    case "crash":
      throw new TypeError("a bug");
    case "wait":
      write("waiting");
      await systemClock.sleep(60_000, signal);
      write("aborted");
      return 0;
    case "never-end":
      signal.addEventListener("abort", () => write("aborted"));
      write("waiting");
      await systemClock.sleep(60_000);
      return 0;
    case "write":
    case "write-errors":
      for (let n = 1; !signal.aborted; n++) {
        (flags.do === "write" ? process.stdout : process.stderr).write(`${n}\n`);
        await systemClock.sleep(1);
      }
      return 0;
    case "forget":
      setInterval(() => {}, 60_000);
      write("returned");
      return 4;
    case "log": {
      const log = createLogger("sample", "info");
      log.debug("not written");
      log.info({ port: 80 }, "written");
      process.exit(0);
    }
  }
});
