import {
  type ChannelOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  makeGenericClientConstructor,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

const serialize = (text: string): Buffer => Buffer.from(text);
const deserialize = (bytes: Buffer): string => bytes.toString();
const text = {
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
};

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<string, string> {
  return { path: `/grpclb.test.Echo/${name}`, requestStream, responseStream, ...text };
}

/** One method of each kind; a message is a text. */
export const echoService = {
  say: method("Say", false, false),
  collect: method("Collect", true, false),
  list: method("List", false, true),
  chat: method("Chat", true, true),
} as const;

/** The handlers of the service. */
export interface EchoHandlers extends UntypedServiceImplementation {
  say: handleUnaryCall<string, string>;
  collect: handleClientStreamingCall<string, string>;
  list: handleServerStreamingCall<string, string>;
  chat: handleBidiStreamingCall<string, string>;
}

/** What a generated client of the service has, without the variants of its parameters. */
export interface EchoClient extends Client {
  say(request: string, ...rest: readonly unknown[]): ClientUnaryCall;
  collect(...rest: readonly unknown[]): ClientWritableStream<string>;
  list(request: string, ...rest: readonly unknown[]): ClientReadableStream<string>;
  chat(...rest: readonly unknown[]): ClientDuplexStream<string, string>;
}

const EchoServiceClient = makeGenericClientConstructor(echoService, "Echo");

/** Creates a client with its own connections. */
export function createEchoClient(target: string, options: ChannelOptions & object = {}): EchoClient {
  return new EchoServiceClient(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    ...options,
  }) as unknown as EchoClient;
}

/** Handlers that do what the names say: `say` and `chat` echo, `collect` joins, `list` answers with three messages. */
export const echo: EchoHandlers = {
  say: (call, respond) => respond(null, call.request),
  collect: (call, respond) => {
    const messages: string[] = [];
    call.on("data", (message: string) => messages.push(message));
    call.on("end", () => respond(null, messages.join("+")));
  },
  list: (call) => {
    for (const n of [1, 2, 3]) call.write(`${call.request}${n}`);
    call.end();
  },
  chat: (call) => {
    call.on("data", (message: string) => call.write(message));
    call.on("end", () => call.end());
  },
};
