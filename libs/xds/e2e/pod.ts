import { promisify } from "node:util";
import {
  type Client,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";

const asIs = (bytes: Buffer) => bytes;
const path = "/grpc.health.v1.Health/Check";
/** A HealthCheckResponse: SERVING. */
const serving = Buffer.from([8, 1]);

/** A server that says its name in a header of each response. */
export interface Pod {
  readonly name: string;
  readonly port: number;
  close(): void;
}

/** Starts one on a free port, with the health service of gRPC. */
export async function startPod(name: string): Promise<Pod> {
  const server = new Server();
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;
  server.addService(
    { check: method },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        const header = new Metadata();
        header.set("pod", name);
        call.sendMetadata(header);
        callback(null, serving);
      },
    },
  );
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  return { name, port, close: () => server.forceShutdown() };
}

/** Calls a pod and returns its name. */
export function callPod(client: Client): Promise<string> {
  return new Promise((resolve, reject) => {
    let name = "";
    const deadline = Date.now() + 5_000;
    const call = client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), new Metadata(), { deadline }, (error) =>
      error ? reject(error) : resolve(name),
    );
    call.on("metadata", (header) => {
      name = String(header.get("pod")[0]);
    });
  });
}
