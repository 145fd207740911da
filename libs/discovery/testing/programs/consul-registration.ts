import { registerInConsul } from "../../src/consul/registration.ts";

/** A program for the test of a crash: registers, prints that, and runs until it is killed, or for a minute. */
const [host = "", port, service = "", token = ""] = process.argv.slice(2);
const registration = registerInConsul({
  agent: { host, port: Number(port) },
  credentials: token === "" ? {} : { token },
  instance: { service, address: { host: "10.9.1.9", port: 1 }, ttlMs: 1_000 },
});
setTimeout(() => process.exit(1), 60_000);
await registration.registered;
process.stdout.write("registered\n");
