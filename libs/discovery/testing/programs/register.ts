import { register } from "../../src/register.ts";

/** A program for `register.test.ts`, whose only work is to register and to take itself out, as the documentation shows. */
const registration = await register(process.argv[2] ?? "", { address: { host: "10.0.0.1", port: 80 } });
await registration.registered;
process.stdout.write("registered\n");
await registration.close();
