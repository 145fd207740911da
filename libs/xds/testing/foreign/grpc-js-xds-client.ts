/**
 * Calls a server that @grpc/grpc-js-xds finds: one call for each HTTP request to the port that it prints, with its path as the header `user`. The answer is the name of the
 * pod, from a header of the response. The bootstrap file comes from GRPC_XDS_BOOTSTRAP: `node grpc-js-xds-client.ts xds:///name`.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, credentials } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";
import { callPod } from "./pod.ts";

register();

const client = new Client(process.argv[2] ?? "", credentials.createInsecure());
const server = createServer(async ({ url = "/" }, response) => {
  try {
    response.end(await callPod(client, url.slice(1)));
  } catch (error) {
    response.writeHead(502).end(String(error));
  }
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`));
