/**
 * Preloaded into every Node process that the lab starts (`node --import`): exits when the lab is gone. The lab stops its
 * processes itself; this covers SIGKILL, which the lab cannot handle.
 */
const parent = process.ppid;
const checkIntervalMs = 250;

setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, checkIntervalMs).unref();
