import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, credentials } from "@grpc/grpc-js";
import { callPod } from "./pod.ts";

/**
 * For a program that is a client: calls a target once for each HTTP request to the port that it prints, with the path as the header `user`.
 * The answer is the name of the pod, from a header of the response.
 */
export function serveCalls(target: string): void {
  const client = new Client(target, credentials.createInsecure());
  const server = createServer(async ({ url = "/" }, response) => {
    try {
      response.end(await callPod(client, url.slice(1)));
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
  server.listen(0, "127.0.0.1", () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`));
}
