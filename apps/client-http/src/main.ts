import { runClient } from "@grpc-lb/program";
import { callOverFreshConnections } from "./fresh-connection.ts";
import { callOverEndpoints } from "./kubernetes.ts";
import { targetFlag } from "./target.ts";

const summary = "Asks a server for its pod name over HTTP, with a new connection for each call.";

void runClient({ name: "client-http", summary, flags: { target: targetFlag } }, ({ target, timeout }) =>
  target.t === "url" ? callOverFreshConnections(target.url, timeout) : callOverEndpoints(target, timeout),
);
