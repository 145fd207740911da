/** A server of the bench, that answers at once: `node server.ts`. It writes its port. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";

const pod = { name: "a", namespace: "", node: "", zone: "", ip: "", version: "" };
const service: PodServiceServer = { getPod: (_call, respond) => respond(null, { pod }) };
const server = new Server();
server.addService(PodServiceService, service);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
