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

/** In place of an answer: none. */
export const silence = Symbol("silence");

/**
 * An etcd that does what a real one cannot be made to do at will: end a watch for a reason, fall silent on one, refuse, answer
 * bytes that are not a message. What `onRange` and `onLogin` throw, a `{ code, details }`, is the status of the call.
 */
export class FakeEtcd {
  readonly #server = new Server();
  #endpoint = "";
  /** What a read is answered. Default: nothing, at revision 5. */
  onRange: (metadata: Metadata) => Parameters<typeof RangeResponse.fromPartial>[0] | Uint8Array | typeof silence =
    () => ({
      header: { revision: 5n },
    });
  /** The token that a login is answered. */
  onLogin: () => string = () => "";
  /** What a watch is answered, from its request on. Default: it is confirmed, and so is each progress request. */
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

/** A method that sends bytes as they are. */
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
