import { registerInConsul } from "./registration.ts";

/** A program for the tests of a registration: registers, says so, and lives until it is killed or its stdin ends. */
const [host = "", port, service = "", token = ""] = process.argv.slice(2);
const registration = registerInConsul({
  agent: { host, port: Number(port) },
  credentials: token === "" ? {} : { token },
  instance: { service, address: { host: "10.9.1.9", port: 1 }, ttlMs: 1_000 },
});
await Promise.race([registration.registered, new Promise((resolve) => setTimeout(resolve, 10_000))]);
process.stdout.write("registered\n");
setInterval(() => {}, 60_000);
