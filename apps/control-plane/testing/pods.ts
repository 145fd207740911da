import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import type { Endpoint } from "@grpc-lb/discovery";
import { type GetPodRequest, GetPodResponse, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { fakeEndpoint } from "./fake-sources.ts";

/** A server that answers with its name. */
export interface FakePod {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** How many connections it has accepted. */
  readonly connections: number;
  stop(): void;
}

/** Starts a server of PodService on 127.0.0.1. */
export async function startPod(name: string, more: Partial<Endpoint> = {}): Promise<FakePod> {
  const server = new Server();
  const peers = new Set<string>();
  server.addService(PodServiceService, {
    getPod(call: ServerUnaryCall<GetPodRequest, GetPodResponse>, respond: sendUnaryData<GetPodResponse>) {
      peers.add(call.getPeer());
      respond(null, GetPodResponse.fromPartial({ pod: { name } }));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const addresses = [{ host: "127.0.0.1", port }];
  return {
    name,
    endpoint: { ...fakeEndpoint(`127.0.0.1`), id: name, addresses, ...more },
    get connections() {
      return peers.size;
    },
    stop: () => server.forceShutdown(),
  };
}
