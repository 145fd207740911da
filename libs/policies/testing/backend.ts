import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type status,
} from "@grpc/grpc-js";
import { type GetPodRequest, type GetPodResponse, Pod, PodServiceService } from "@grpc-lb/protos/pod/v1";
import type { GrpcEndpoint } from "../src/grpc-js.ts";
import { endpoint } from "./fake-channel.ts";
import { LoadReports } from "./load-reports.ts";

const bytes = (value: Buffer): Buffer => value;

/** A stream of messages, of which the first comes at once and names the server; it ends when the server lets it. */
export const watchMethod = {
  path: "/grpclb.test.StreamService/Watch",
  requestStream: false,
  responseStream: true,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
} as const;

/** What becomes of a call: an answer at once, an answer when it is released, none ever, or a failure. */
type Behaviour = { t: "answer" } | { t: "hold" } | { t: "freeze" } | { t: "fail"; code: status };

/** A real gRPC server on a port of 127.0.0.1 that answers with its name, and misbehaves as it is told. */
export class Backend {
  readonly name: string;
  readonly port: number;
  /** As the resolver hands it on; its id is the name. */
  readonly endpoint: GrpcEndpoint;
  /** How many calls have come. */
  calls = 0;
  /** What it tells of its load: nothing, until it is told to. */
  readonly loads: LoadReports;
  readonly #server: Server;
  readonly #held: (() => void)[] = [];
  readonly #watchers = new Set<() => void>();
  #behaviour: Behaviour = { t: "answer" };

  private constructor(name: string, server: Server, port: number, loads: LoadReports) {
    this.name = name;
    this.loads = loads;
    this.#server = server;
    this.port = port;
    this.endpoint = endpoint(`127.0.0.1:${port}`, { id: name });
  }

  /** @param port 0 for a free one; that of a server which has ended, to come back */
  static async start(name: string, port = 0): Promise<Backend> {
    const server = new Server();
    let backend: Backend | undefined;
    server.addService(PodServiceService, {
      getPod: (_call: ServerUnaryCall<GetPodRequest, GetPodResponse>, respond: sendUnaryData<GetPodResponse>) =>
        backend?.serve(respond),
    });
    server.addService(
      { watch: watchMethod },
      { watch: (stream: ServerWritableStream<Buffer, Buffer>) => backend?.stream(stream) },
    );
    const loads = new LoadReports();
    loads.addTo(server);
    const bound = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    backend = new Backend(name, server, bound, loads);
    return backend;
  }

  /** Calls are answered at once: at first, and again after any of the others. Those that are held are answered too. */
  answer(): void {
    this.#behaviour = { t: "answer" };
    for (const answer of this.#held.splice(0)) answer();
  }

  /** Calls wait for `answer`. */
  hold(): void {
    this.#behaviour = { t: "hold" };
  }

  /** Calls are taken and never answered. */
  freeze(): void {
    this.#behaviour = { t: "freeze" };
  }

  /** Calls fail with a status. */
  fail(code: status): void {
    this.#behaviour = { t: "fail", code };
  }

  /** Resolves when so many calls have come. */
  async called(count: number): Promise<void> {
    while (this.calls < count) {
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
      this.#watchers.clear();
    }
  }

  /** Ends as a pod does: says GOAWAY, and answers what is under way. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => this.#server.tryShutdown((error) => (error ? reject(error) : resolve())));
  }

  /** Ends at once, and calls under way with it. */
  kill(): void {
    this.#server.forceShutdown();
  }

  private serve(respond: sendUnaryData<GetPodResponse>): void {
    this.#count();
    const behaviour = this.#behaviour;
    const answer = () => respond(null, { pod: Pod.fromPartial({ name: this.name }) }, this.loads.trailer);
    if (behaviour.t === "fail") respond({ code: behaviour.code, details: `${this.name} fails` });
    else if (behaviour.t === "hold") this.#held.push(answer);
    else if (behaviour.t === "answer") answer();
  }

  private stream(stream: ServerWritableStream<Buffer, Buffer>): void {
    this.#count();
    stream.write(Buffer.from(this.name));
    this.#held.push(() => stream.end());
  }

  #count(): void {
    this.calls += 1;
    for (const watcher of [...this.#watchers]) watcher();
  }
}
