/** A program for the tests of `ProcessGroup`: its argument selects what it does. Except for `fail` it runs until it is stopped. */
const [behaviour] = process.argv.slice(2);

const run = (line: string) => {
  process.stdout.write(`${line}\n`);
  setInterval(() => {}, 60_000);
};

switch (behaviour) {
  case "wait":
    run("ready");
    break;
  case "ignore-sigterm":
    process.on("SIGTERM", () => {});
    run("ready");
    break;
  case "print-environment":
    run(Object.keys(process.env).join());
    break;
  case "fail":
    process.stderr.write("disk full\n");
    process.exitCode = 3;
    break;
  default:
    throw new Error(`unknown behaviour: ${behaviour}`);
}
