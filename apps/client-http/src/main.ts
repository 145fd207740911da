import { runClient } from "@grpc-lb/runtime/process";
import { getPod } from "./get-pod.ts";
import { targetFlag } from "./target.ts";

const summary = "Asks a server for its pod name over HTTP, with a new connection for each call.";

void runClient({ name: "client-http", summary, flags: { target: targetFlag } }, (flags) => ({
  call: () => getPod(flags.target, flags.timeout),
  close: () => {},
}));
