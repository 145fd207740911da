/** Clients of a control plane for change.bench.ts, which accept everything: `node clients.ts PORT delta|sotw COUNT CLUSTERS`. */
import { type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import {
  AggregatedDiscoveryServiceClient,
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from "@grpc-lb/protos/envoy/service/discovery/v3";
import { typeUrls } from "../src/type-urls.ts";

const [port = "", protocol = "", count = "0", clusters = "0"] = process.argv.slice(2);
const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const { cluster, endpoints } = typeUrls;
const asIs = (bytes: Buffer) => bytes;
const names = Array.from({ length: Number(clusters) }, (_, i) => `outbound-8080-service-${i}`);

/** The type and nonce of a response, which is all that is read. */
function readHead(bytes: Buffer): { readonly typeUrl: string; readonly nonce: string } {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const head = { typeUrl: "", nonce: "" };
  while (at < bytes.length) {
    const field = varint() >>> 3;
    const length = varint();
    if (field === 4) head.typeUrl = bytes.toString("utf8", at, at + length);
    if (field === 5) head.nonce = bytes.toString("utf8", at, at + length);
    at += length;
  }
  return head;
}

for (let i = 0; i < Number(count); i++) {
  const options = { "grpc.use_local_subchannel_pool": 1 };
  const client = new AggregatedDiscoveryServiceClient(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  const isDelta = protocol === "delta";
  const path = `${service}/${isDelta ? "DeltaAggregatedResources" : "StreamAggregatedResources"}`;
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(path, asIs, asIs);
  const send = (typeUrl: string, responseNonce: string) => {
    const node = { id: `client-${i}` };
    const resourceNames = typeUrl === endpoints ? names : [];
    const isFirst = responseNonce === "";
    const request = isDelta
      ? DeltaDiscoveryRequest.encode(
          DeltaDiscoveryRequest.fromPartial({
            ...(isFirst && { node, resourceNamesSubscribe: resourceNames }),
            typeUrl,
            responseNonce,
          }),
        )
      : DiscoveryRequest.encode(
          DiscoveryRequest.fromPartial({ ...(isFirst && { node }), typeUrl, responseNonce, resourceNames }),
        );
    call.write(Buffer.from(request.finish()));
  };
  call.on("data", (bytes: Buffer) => {
    const { typeUrl, nonce } = readHead(bytes);
    send(typeUrl, nonce);
  });
  call.on("error", ({ message }) => {
    process.stderr.write(`${message}\n`);
    process.exit(1);
  });
  send(cluster, "");
  send(endpoints, "");
}
