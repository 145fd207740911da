/**
 * Runs beside a lab that may freeze a server. A frozen process cannot notice that the lab is gone; this one can, by
 * `end-with-parent.ts`, and on its way out it lets the server go on, which then notices too.
 */
const pid = Number(process.argv[2]);

process.on("exit", () => {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // ESRCH: it has ended already
  }
});
setInterval(() => {}, 2 ** 30);
