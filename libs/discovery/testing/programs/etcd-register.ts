import { registerInEtcd } from "../../src/etcd/index.ts";

/** A program for `register.test.ts`: registers, prints that, and lives until it is killed. */
setInterval(() => {}, 1_000); // a registration does not keep it alive
const [endpoint = "", service = ""] = process.argv.slice(2);
const instance = { service, address: { host: "10.0.0.1", port: 80 }, ttlMs: 1_000 };
await registerInEtcd({ endpoints: [endpoint], credentials: {}, instance }).registered;
process.stdout.write("registered\n");
