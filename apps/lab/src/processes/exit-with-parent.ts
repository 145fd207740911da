/**
 * Imported into every child of the lab (`node --import`): ends it when the lab is gone. The lab stops its children itself;
 * this is for the one end that it cannot see coming, SIGKILL.
 */
const parent = process.ppid;
const checkEveryMs = 250;

setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, checkEveryMs).unref();
