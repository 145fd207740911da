import type { Clock, Random } from "@grpc-lb/runtime";
import { AuthService } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { DiscoveryError } from "../discovery-error.ts";
import {
  type EtcdAccess,
  type EtcdCredentials,
  parseEtcdEndpoints,
  readEtcdEnvironment,
  readPassword,
  readTls,
  validateEtcdCredentials,
} from "./access.ts";
import { Connection, hostPort, type MemberAddress, type Method } from "./connection.ts";
import { describeFailure, isAuthDisabled, isTokenStale } from "./etcd-error.ts";
import { code, RpcStatus } from "./rpc-status.ts";
import type { RpcStream } from "./rpc-stream.ts";

/** What a call is for, and how long it may take. */
export interface CallOptions {
  /** For messages: `list server/`. */
  readonly what: string;
  /** How long nothing may come, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A call that goes on, and what keeps it under observation. */
export interface LongCall<Q, R> {
  readonly stream: RpcStream<Q, R>;
}

/**
 * A cluster, asked through one member at a time: whatever looks like the member's fault makes the next call go to the next
 * one, over a new connection. Not for calls at the same time.
 */
export class Cluster {
  readonly #members: readonly MemberAddress[];
  readonly #credentials: EtcdCredentials;
  readonly #clock: Clock;
  readonly #name: string;
  #next: number;
  #connection: Connection | undefined;
  /** Undefined: not logged in. */
  #token: string | undefined;

  /** @throws RangeError for an access that cannot be */
  constructor(access: EtcdAccess, clock: Clock, random: Random) {
    this.#members = parseEtcdEndpoints(access.endpoints);
    this.#credentials = validateEtcdCredentials(access.credentials ?? readEtcdEnvironment());
    this.#clock = clock;
    this.#name = this.#members.map(hostPort).join(",");
    this.#next = Math.floor(random() * this.#members.length);
  }

  /** Asks once. Throws a DiscoveryError, also when `signal` is aborted. */
  async call<Q, R>(method: Method<Q, R>, request: Q, options: CallOptions): Promise<R> {
    return this.#attempt(options, async () => {
      try {
        return await this.#ask(method, request, options);
      } catch (cause) {
        if (!isTokenStale(cause) || options.signal.aborted) throw cause;
        this.#token = undefined;
        return await this.#ask(method, request, options);
      }
    });
  }

  /** Begins a call that goes on, and hands it to `use`; it has ended when this returns. Throws as `call` does. */
  async stream<Q, R>(
    method: Method<Q, R>,
    options: CallOptions,
    use: (stream: RpcStream<Q, R>) => Promise<void>,
  ): Promise<void> {
    await this.#attempt(options, async () => {
      const connection = await this.#connect();
      const headers = await this.#headers(connection, options);
      const stream = connection.open(method, { headers, signal: options.signal });
      try {
        await use(stream);
      } finally {
        stream.cancel();
      }
    });
  }

  /** Ends the connection; the next call makes another. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#token = undefined;
    await connection?.close();
  }

  async #attempt<T>(options: CallOptions, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (cause) {
      const error = describeFailure(`${options.what} on ${this.#name}`, this.#credentials.user, cause);
      if (error.code === "denied") this.#token = undefined; // the password may be another by now
      else if (isMembersFault(cause)) {
        this.#next = (this.#next + 1) % this.#members.length;
        await this.close();
      }
      throw error;
    }
  }

  async #ask<Q, R>(method: Method<Q, R>, request: Q, options: CallOptions): Promise<R> {
    const connection = await this.#connect();
    return this.#exchange(connection, method, request, await this.#headers(connection, options), options);
  }

  /** One request, one answer; also of a method that could take more. */
  async #exchange<Q, R>(
    connection: Connection,
    method: Method<Q, R>,
    request: Q,
    headers: Readonly<Record<string, string>>,
    { timeoutMs, signal }: CallOptions,
  ): Promise<R> {
    const ending = new AbortController();
    const end = () => ending.abort(signal.reason);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    const done = new AbortController();
    void this.#clock.sleep(timeoutMs, done.signal, { background: true }).then(() => {
      if (!done.signal.aborted) ending.abort(new RpcStatus(code.deadlineExceeded, `no answer for ${timeoutMs} ms`));
    });
    try {
      const stream = connection.open(method, { headers, signal: ending.signal });
      stream.send(request);
      stream.finish();
      let answer: R | undefined;
      for await (const batch of stream.batches()) answer ??= batch[0];
      if (answer === undefined) throw new RpcStatus(code.internal, "no answer, and no error");
      return answer;
    } finally {
      done.abort();
      signal.removeEventListener("abort", end);
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#connection?.isLost) await this.close();
    if (!this.#connection) {
      const tls = await readTls(this.#credentials);
      this.#connection = new Connection(this.#members[this.#next] as MemberAddress, tls);
    }
    return this.#connection;
  }

  /** What goes with each call: the token, and that a member without a leader shall say so rather than wait. */
  async #headers(connection: Connection, options: CallOptions): Promise<Readonly<Record<string, string>>> {
    const { user } = this.#credentials;
    if (user !== undefined) this.#token ??= await this.#login(connection, user, options);
    return { hasleader: "true", ...(this.#token && { token: this.#token }) };
  }

  async #login(connection: Connection, name: string, options: CallOptions): Promise<string> {
    try {
      const request = { name, password: await readPassword(this.#credentials) };
      return (await this.#exchange(connection, AuthService.authenticate, request, {}, options)).token;
    } catch (cause) {
      if (isAuthDisabled(cause)) return "";
      if (cause instanceof RpcStatus || cause instanceof DiscoveryError) throw cause;
      const message = `the password cannot be read: ${(cause as Error).message}`;
      throw new DiscoveryError("denied", `etcd: ${options.what} on ${this.#name} as user ${name}: ${message}`, { cause });
    }
  }
}

/** What another member may do better; what etcd refuses with reason it refuses everywhere. */
function isMembersFault(cause: unknown): boolean {
  if (!(cause instanceof RpcStatus)) return true;
  const saysNo: readonly number[] = [
    code.invalidArgument,
    code.notFound,
    code.permissionDenied,
    code.failedPrecondition,
    code.unauthenticated,
  ];
  return !saysNo.includes(cause.code);
}
