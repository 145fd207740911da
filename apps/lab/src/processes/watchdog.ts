/**
 * Usage: `watchdog.ts SIGNAL PID`. Sends the signal to the process when the lab is gone. It stands in for a process that cannot
 * preload `exit-with-parent.ts` because it is not Node's (SIGKILL), or cannot run it because it is frozen (SIGCONT). Prints
 * `watching` when it does.
 */
const signal = process.argv[2] as NodeJS.Signals;
const pid = Number(process.argv[3]);

// A terminal signals all its processes. On Ctrl-C the lab stops the watchdog last; when the terminal is gone, so is the lab.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => process.exit(1));
process.on("exit", () => {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: the process has already exited
  }
});
setInterval(() => {}, 2 ** 30);
process.stdout.write("watching\n");
