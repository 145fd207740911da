import { Server, ServerCredentials, type ServerOptions, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import type { Address, Endpoint } from "@grpc-lb/discovery";
import { type GetPodRequest, type GetPodResponse, Pod, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { endpointAt } from "./fake-source.ts";

type Call = ServerUnaryCall<GetPodRequest, GetPodResponse>;
type Respond = sendUnaryData<GetPodResponse>;

/** A real gRPC server, on a free port of 127.0.0.1 by default, that answers with its name; calls can be held. */
export class PodServer {
  readonly name: string;
  readonly port: number;
  readonly endpoint: Endpoint;
  /** What each call came with, in order. */
  readonly calls: Call[] = [];
  readonly #server: Server;
  readonly #host: string;
  readonly #peers = new Set<string>();
  readonly #held: (() => void)[] = [];
  #isHolding = false;

  private constructor(name: string, server: Server, { host, port }: Address) {
    this.name = name;
    this.#server = server;
    this.#host = host;
    this.port = port;
    this.endpoint = { ...endpointAt(port), addresses: [{ host, port }] };
  }

  static async start(
    name: string,
    credentials = ServerCredentials.createInsecure(),
    options: ServerOptions = {},
    { host, port }: Address = { host: "127.0.0.1", port: 0 },
  ): Promise<PodServer> {
    const server = new Server(options);
    let pod: PodServer | undefined;
    server.addService(PodServiceService, { getPod: (call: Call, respond: Respond) => pod?.serve(call, respond) });
    const bound = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`${host}:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    pod = new PodServer(name, server, { host, port: bound });
    return pod;
  }

  /** From now on it answers no call. */
  hold(): void {
    this.#isHolding = true;
  }

  /** Answers the calls that were held, and all that come. */
  release(): void {
    this.#isHolding = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  /** Resolves when so many calls have come. */
  called(count: number): Promise<void> {
    return until(() => this.calls.length >= count, `${count} calls to ${this.name}`);
  }

  /** Sends GOAWAY on all its connections, and goes on listening. */
  sendGoaway(): void {
    this.#server.drain(`${this.#host}:${this.port}`, 20_000);
  }

  /** How many connections calls have come by. */
  get connections(): number {
    return this.#peers.size;
  }

  /** Ends as a pod does: sends GOAWAY, and answers the calls in flight. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => this.#server.tryShutdown((error) => (error ? reject(error) : resolve())));
  }

  /** Ends at once. */
  kill(): void {
    this.#server.forceShutdown();
  }

  private serve(call: Call, respond: Respond): void {
    this.calls.push(call);
    this.#peers.add(call.getPeer()); // which is unknown once the connection has ended
    const answer = () => respond(null, { pod: Pod.fromPartial({ name: this.name }) });
    if (this.#isHolding) this.#held.push(answer);
    else answer();
  }
}
