/**
 * Runs beside a process of the lab that is not Node's, and so cannot notice by itself that the lab is gone. This one can, by
 * `end-with-parent.ts`, and on its way out it kills that process.
 */
const pid = Number(process.argv[2]);

// A terminal tells all its processes of Ctrl-C, and that it goes away: the first is the lab's to act on, the second may end it.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => process.exit(1));
process.on("exit", () => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ESRCH: it has ended already
  }
});
setInterval(() => {}, 2 ** 30);
