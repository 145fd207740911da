// A Nest application whose gRPC client spreads its calls over three servers.
import "reflect-metadata";
import { registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { NestFactory } from "@nestjs/core";
import { AppModule } from "./app.module.js";
import { startServer } from "./greeter-servers.js";
import { GreetingService } from "./greeting.service.js";

registerResolvers(); // once, before Nest makes its clients
registerPolicies();

const names = ["server-1", "server-2", "server-3"];
const servers = await Promise.all(names.map(startServer));
process.env.GREETER_TARGET = `static:///${servers.map(({ address }) => address).join(",")}`;

const app = await NestFactory.createApplicationContext(AppModule, { logger: ["error", "warn"] });
const greetings = app.get(GreetingService);
const counts = new Map(names.map((name) => [name, 0]));
for (let n = 0; n < 30; n++) {
  const name = await greetings.greet();
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

console.log("server    calls");
for (const [name, calls] of counts) console.log(name.padEnd(8) + String(calls).padStart(7));

await app.close();
for (const server of servers) server.close();
