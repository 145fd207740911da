import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type CallOptions,
  type ChannelOptions,
  type ClientOptions,
  Metadata,
  Server,
  ServerCredentials,
  type ServerInterceptor,
  type ServiceDefinition,
  type ServiceError,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { createEchoClient, type EchoClient, type EchoHandlers, echo, echoService } from "./echo-service.ts";

/** The kinds of a call. */
export const kinds = ["say", "collect", "list", "chat"] as const;
export type Kind = (typeof kinds)[number];

/** How a call ended. */
export interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly string[];
}

export interface ServeOptions {
  readonly interceptors?: readonly ServerInterceptor[];
  /** A definition in place of the service's, such as one that measures messages. */
  readonly definition?: ServiceDefinition;
  readonly more?: readonly (readonly [ServiceDefinition, UntypedServiceImplementation])[];
}

/** Long enough for any machine: only a failing test waits that long. */
const deadlineMs = 20_000;

/** Real servers and clients. It closes all of them after the test, and asserts that nothing is left open. */
export class Rig {
  readonly #servers: Server[] = [];
  readonly #clients: EchoClient[] = [];

  constructor(t: TestContext) {
    t.after(() => this.close());
  }

  /** Starts a server. @returns its address */
  async serve(handlers: Partial<EchoHandlers> = {}, options: ServeOptions = {}): Promise<string> {
    return (await this.serveAll({ ...echo, ...handlers } as EchoHandlers, options)).address;
  }

  /** Starts a server with all of its handlers. */
  async serveAll(
    handlers: UntypedServiceImplementation,
    { interceptors = [], definition = echoService, more = [] }: ServeOptions = {},
  ): Promise<{ readonly address: string; readonly server: Server }> {
    const server = new Server({ interceptors: [...interceptors] });
    server.addService(definition, handlers);
    for (const [service, implementation] of more) server.addService(service, implementation);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    this.#servers.push(server);
    return { address: `127.0.0.1:${port}`, server };
  }

  client(target: string, options: ChannelOptions & ClientOptions = {}): EchoClient {
    const client = createEchoClient(target, options);
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const server of this.#servers) server.forceShutdown();
    await assertNothingLeft();
  }
}

export interface CallInput {
  /** What is sent; the first one alone with a unary request. Default: `["a", "b"]`. */
  readonly messages?: readonly string[];
  readonly metadata?: Metadata;
  readonly options?: CallOptions;
  /** Receives the call when it has begun. */
  readonly onStart?: (call: { cancel(): void; getPeer(): string }) => void;
  /** Whether the client half-closes after its messages. Default: true. */
  readonly halfClose?: boolean;
}

/** Makes a call of a kind, and resolves when it has ended. Never rejects. */
export function call(client: EchoClient, kind: Kind, input: CallInput = {}): Promise<Outcome> {
  const { messages = ["a", "b"], metadata = new Metadata(), onStart = () => {}, halfClose = true } = input;
  const options = { deadline: Date.now() + deadlineMs, ...input.options };
  return new Promise((resolve) => {
    const received: string[] = [];
    const end = (error: ServiceError | null): void =>
      resolve({ code: error?.code ?? 0, details: error?.details ?? "", messages: received });
    const respond = (error: ServiceError | null, message?: string): void => {
      if (message !== undefined) received.push(message);
      end(error);
    };
    const receive = (stream: ReturnType<EchoClient["list"]> | ReturnType<EchoClient["chat"]>): void => {
      stream.on("data", (message: string) => received.push(message));
      let failure: ServiceError | null = null;
      stream.on("error", (error: ServiceError) => {
        failure = error;
      });
      stream.on("status", ({ code, details }: { code: number; details: string }) =>
        end(code === 0 ? null : (failure ?? ({ code, details } as ServiceError))),
      );
    };
    const send = (stream: ReturnType<EchoClient["collect"]> | ReturnType<EchoClient["chat"]>): void => {
      for (const message of messages) stream.write(message);
      if (halfClose) stream.end();
    };
    const first = messages[0] ?? "";
    if (kind === "say") onStart(client.say(first, metadata, options, respond));
    else if (kind === "collect") {
      const stream = client.collect(metadata, options, respond);
      onStart(stream);
      send(stream);
    } else if (kind === "list") {
      const stream = client.list(first, metadata, options);
      receive(stream);
      onStart(stream);
    } else {
      const stream = client.chat(metadata, options);
      receive(stream);
      onStart(stream);
      send(stream);
    }
  });
}

/** What a call that went well answers, by its kind, for the messages `a` and `b`. */
export const answers: Readonly<Record<Kind, readonly string[]>> = {
  say: ["a"],
  collect: ["a+b"],
  list: ["a1", "a2", "a3"],
  chat: ["a", "b"],
};

/** The entries of a log, in place of pino. */
export class LogRecorder {
  readonly entries: {
    readonly level: string;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly msg: string;
  }[] = [];
  readonly #add = (level: string) => (fields: object, msg: string) => {
    this.entries.push({ level, fields: fields as Readonly<Record<string, unknown>>, msg });
  };
  readonly debug = this.#add("debug");
  readonly info = this.#add("info");
  readonly warn = this.#add("warn");
  readonly error = this.#add("error");

  /** The only entry. */
  get only() {
    assert.equal(this.entries.length, 1, JSON.stringify(this.entries));
    return this.entries[0] as (typeof this.entries)[number];
  }
}
