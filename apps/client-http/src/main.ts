import { runClient } from "@grpc-lb/program";
import { callOverEndpoints } from "./endpoints.ts";
import { callOverFreshConnections } from "./fresh-connection.ts";
import { targetFlag } from "./target.ts";

const summary = "Gets the pod name of a server over HTTP, with a new connection for each call.";

void runClient({ name: "client-http", summary, flags: { target: targetFlag } }, ({ target, timeout }) =>
  target.t === "url" ? callOverFreshConnections(target.url, timeout) : callOverEndpoints(target, timeout),
);
