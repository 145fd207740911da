// connect-web over undici's fetch and our dispatcher. The two servers are its own, of connect-node. It writes the names of those that
// answered.
import { once } from "node:events";
import { createServer } from "node:http";
import { createFileRegistry, fromJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createConnectTransport } from "@connectrpc/connect-web";
import { BalancedDispatcher } from "@grpc-lb/resolver/undici";
import { fetch } from "undici";

const pod = { name: "pod", number: 1, type: "TYPE_MESSAGE", label: "LABEL_OPTIONAL", typeName: ".pod.v1.Pod" };
const name = { name: "name", number: 1, type: "TYPE_STRING", label: "LABEL_OPTIONAL" };
const method = { name: "GetPod", inputType: ".pod.v1.GetPodRequest", outputType: ".pod.v1.GetPodResponse" };
const file = fromJson(FileDescriptorProtoSchema, {
  name: "pod/v1/pod.proto",
  package: "pod.v1",
  syntax: "proto3",
  messageType: [{ name: "GetPodRequest" }, { name: "GetPodResponse", field: [pod] }, { name: "Pod", field: [name] }],
  service: [{ name: "PodService", method: [method] }],
});
const PodService = createFileRegistry(file, () => undefined).getService("pod.v1.PodService");

async function startServer(name) {
  const routes = (router) => router.service(PodService, { getPod: () => ({ pod: { name } }) });
  const server = createServer(connectNodeAdapter({ routes })).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const servers = [await startServer("pod-a"), await startServer("pod-b")];
const addresses = servers.map((server) => `127.0.0.1:${server.address().port}`);
const dispatcher = new BalancedDispatcher(`static:///${addresses.join(",")}`);
const transport = createConnectTransport({
  baseUrl: "http://server",
  fetch: (url, init) => fetch(url, { ...init, dispatcher }),
});
const client = createClient(PodService, transport);
const names = new Set();
for (let n = 0; n < 4; n++) names.add((await client.getPod({})).pod.name);
await dispatcher.close();
for (const server of servers) server.close();
process.stdout.write(JSON.stringify([...names].sort()));
