import {
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type StatusObject,
} from "@grpc/grpc-js";
import {
  AuthenticateResponse,
  AuthService,
  KVService,
  RangeResponse,
  type WatchRequest,
  WatchResponse,
  WatchService,
} from "@grpc-lb/protos/etcd/api/etcdserverpb";

type Answer<R> = (error: Partial<StatusObject> | null, response?: R) => void;
type Watch = ServerDuplexStream<WatchRequest, WatchResponse | Uint8Array>;

/** Returned instead of an answer: the fake does not answer. */
export const silence = Symbol("silence");

/**
 * A fake of etcd with faults that a test cannot cause in a real one: it cancels a watch with a reason, stops answering, refuses
 * calls, and answers bytes that are not a message. If `onRange` or `onLogin` throws `{ code, details }`, that is the status of
 * the call.
 */
export class FakeEtcd {
  readonly #server = new Server();
  #endpoint = "";
  /** Returns the answer to a read. Default: no keys, at revision 5. */
  onRange: (metadata: Metadata) => Parameters<typeof RangeResponse.fromPartial>[0] | Uint8Array | typeof silence =
    () => ({
      header: { revision: 5n },
    });
  /** Returns the token for a login. Default: an empty one. */
  onLogin: () => string = () => "";
  /** Handles each request on a watch stream. Default: confirms the watch and each progress request. */
  onWatch: (watch: Watch, request: WatchRequest) => void = (watch, request) => {
    const created = request.requestUnion?.$case === "createRequest";
    watch.write(WatchResponse.fromPartial({ header: { revision: 5n }, created }));
  };

  static async start(): Promise<FakeEtcd> {
    const fake = new FakeEtcd();
    const server = fake.#server;
    server.addService(
      { ...KVService, range: withRawAnswers(KVService.range) },
      {
        range: ({ metadata }: { metadata: Metadata }, answer: Answer<RangeResponse | Uint8Array>) =>
          answerBy(answer, () => {
            const made = fake.onRange(metadata);
            return made === silence || made instanceof Uint8Array ? made : RangeResponse.fromPartial(made);
          }),
        put: () => {},
        deleteRange: () => {},
      },
    );
    const unused = () => {};
    const auth = Object.fromEntries(Object.keys(AuthService).map((name) => [name, unused]));
    server.addService(AuthService, {
      ...auth,
      authenticate: (_: unknown, answer: Answer<AuthenticateResponse>) =>
        answerBy(answer, () => AuthenticateResponse.fromPartial({ token: fake.onLogin() })),
    });
    server.addService(
      { watch: withRawAnswers(WatchService.watch) },
      {
        watch: (watch: Watch) => {
          watch.on("data", (request: WatchRequest) => fake.onWatch(watch, request));
          watch.on("end", () => watch.end());
          watch.on("error", () => {}); // the client has gone
        },
      },
    );
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

/** A method that sends a `Uint8Array` without serializing it. */
function withRawAnswers<Q, R>(method: MethodDefinition<Q, R>): MethodDefinition<Q, R | Uint8Array> {
  const responseSerialize = (answer: R | Uint8Array) =>
    answer instanceof Uint8Array ? Buffer.from(answer) : method.responseSerialize(answer);
  return { ...method, responseSerialize };
}

function answerBy<R>(answer: Answer<R>, make: () => R | typeof silence): void {
  try {
    const made = make();
    if (made !== silence) answer(null, made);
  } catch (error) {
    answer(error as Partial<StatusObject>);
  }
}
