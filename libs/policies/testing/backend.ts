import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type status,
} from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { type GetPodRequest, type GetPodResponse, Pod, PodServiceService } from "@grpc-lb/protos/pod/v1";
import type { GrpcEndpoint } from "../src/grpc-js.ts";
import { endpoint } from "./fake-channel.ts";
import { LoadReports } from "./load-reports.ts";

const bytes = (value: Buffer): Buffer => value;

/** A stream of messages. The first one comes at once and names the server; the server ends the stream. */
export const watchMethod = {
  path: "/grpclb.test.StreamService/Watch",
  requestStream: false,
  responseStream: true,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
} as const;

/** What happens to a call: a response at once, a response on release, none ever, or a failure. */
type Behaviour = { t: "answer" } | { t: "hold" } | { t: "freeze" } | { t: "fail"; code: status };

/** A real gRPC server on 127.0.0.1 that responds with its name, with faults that the test chooses. */
export class Backend {
  readonly name: string;
  readonly port: number;
  /** The endpoint as a resolver hands it on; its id is the name. */
  readonly endpoint: GrpcEndpoint;
  /** How many calls it has received. */
  calls = 0;
  /** Its load reports; none until the test sends some. */
  readonly loads: LoadReports;
  readonly #server: Server;
  readonly #held: (() => void)[] = [];
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

  /** Responds to calls at once, including those that are held. The initial behaviour. */
  answer(): void {
    this.#behaviour = { t: "answer" };
    for (const answer of this.#held.splice(0)) answer();
  }

  /** Holds calls until `answer`. */
  hold(): void {
    this.#behaviour = { t: "hold" };
  }

  /** Accepts calls and never responds. */
  freeze(): void {
    this.#behaviour = { t: "freeze" };
  }

  /** Fails calls with a status. */
  fail(code: status): void {
    this.#behaviour = { t: "fail", code };
  }

  /** Resolves when it has received this many calls. */
  async called(count: number): Promise<void> {
    await until(() => this.calls >= count, `${this.name} has received ${count} calls`);
  }

  /** Ends as a pod does: sends GOAWAY, and finishes the calls in flight. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => this.#server.tryShutdown((error) => (error ? reject(error) : resolve())));
  }

  /** Ends at once, with the calls in flight. */
  kill(): void {
    this.#server.forceShutdown();
  }

  private serve(respond: sendUnaryData<GetPodResponse>): void {
    this.calls += 1;
    const behaviour = this.#behaviour;
    const answer = () => respond(null, { pod: Pod.fromPartial({ name: this.name }) }, this.loads.trailer);
    if (behaviour.t === "fail") respond({ code: behaviour.code, details: `${this.name} fails` });
    else if (behaviour.t === "hold") this.#held.push(answer);
    else if (behaviour.t === "answer") answer();
  }

  private stream(stream: ServerWritableStream<Buffer, Buffer>): void {
    this.calls += 1;
    stream.write(Buffer.from(this.name));
    this.#held.push(() => stream.end());
  }
}
