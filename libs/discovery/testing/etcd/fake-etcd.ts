import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  KVService,
  RangeResponse,
  type WatchRequest,
  WatchResponse,
  WatchService,
} from "@grpc-lb/protos/etcd/api/etcdserverpb";

type Watch = ServerDuplexStream<WatchRequest, WatchResponse>;

/**
 * An etcd that does what a real one cannot be made to do at will: end a watch for a reason, or fall silent on one. Its store
 * has nothing.
 */
export class FakeEtcd {
  readonly #server = new Server();
  #endpoint = "";
  /** What a watch is answered, from its request on. Default: it is confirmed, and so is each progress request. */
  onWatch: (watch: Watch, request: WatchRequest) => void = (watch, request) => {
    watch.write(WatchResponse.fromPartial({ created: request.requestUnion?.$case === "createRequest" }));
  };

  static async start(): Promise<FakeEtcd> {
    const fake = new FakeEtcd();
    const server = fake.#server;
    server.addService(KVService, {
      range: (_: unknown, answer: (error: null, response: RangeResponse) => void) =>
        answer(null, RangeResponse.fromPartial({ header: { revision: 5n } })),
      put: () => {},
      deleteRange: () => {},
    });
    server.addService(WatchService, {
      watch: (watch: Watch) => {
        watch.on("data", (request: WatchRequest) => fake.onWatch(watch, request));
        watch.on("end", () => watch.end());
        watch.on("error", () => {}); // the client has gone
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
    fake.#endpoint = `127.0.0.1:${await promise}`;
    return fake;
  }

  get endpoint(): string {
    return this.#endpoint;
  }

  close(): void {
    this.#server.forceShutdown();
  }
}
