import { promisify } from "node:util";
import {
  type Client,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";

const asIs = (bytes: Buffer) => bytes;
const path = "/grpc.health.v1.Health/Check";
/** A HealthCheckResponse: SERVING. */
const serving = Buffer.from([8, 1]);

/** A server that says its name in a header of each response. */
export interface Pod {
  readonly name: string;
  readonly port: number;
  /** Answers UNAVAILABLE from now on, or no longer. */
  setFailing(isFailing: boolean): void;
  /** Ends as a pod does that Kubernetes ends: calls in progress are answered, and new ones go elsewhere. Cuts what is left after 5 s. */
  end(): Promise<void>;
  /** Ends as a crash does. */
  close(): void;
}

/** Starts one with the health service of gRPC. @param port default: a free one */
export async function startPod(name: string, port = 0): Promise<Pod> {
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
  let isFailing = false;
  server.addService(
    { check: method },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        if (isFailing) return callback({ code: status.UNAVAILABLE, details: `${name} fails` });
        const header = new Metadata();
        header.set("pod", name);
        call.sendMetadata(header);
        callback(null, serving);
      },
    },
  );
  const bound = await promisify(server.bindAsync.bind(server))(`127.0.0.1:${port}`, ServerCredentials.createInsecure());
  return {
    name,
    port: bound,
    setFailing(is) {
      isFailing = is;
    },
    async end() {
      const cut = setTimeout(() => server.forceShutdown(), 5_000);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(cut);
    },
    close: () => server.forceShutdown(),
  };
}

/** Calls a pod with the header `user`, and returns its name. */
export function callPod(client: Client, user: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let name = "";
    const options = { deadline: Date.now() + 5_000 };
    const metadata = new Metadata();
    metadata.set("user", user);
    const call = client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), metadata, options, (error) =>
      error ? reject(error) : resolve(name),
    );
    call.on("metadata", (header) => {
      name = String(header.get("pod")[0]);
    });
  });
}
