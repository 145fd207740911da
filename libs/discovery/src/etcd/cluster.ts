import { Metadata, status } from "@grpc/grpc-js";
import type { Clock, Random } from "@grpc-lb/core";
import { AuthService } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { formatAddress } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Address } from "../core/snapshot.ts";
import {
  type EtcdAccess,
  type EtcdCredentials,
  parseEtcdEndpoints,
  readEtcdEnvironment,
  readPassword,
  readTls,
  validateEtcdCredentials,
} from "./access.ts";
import { Connection, type Method } from "./connection.ts";
import { describeFailure, isAuthDisabled, isTokenStale } from "./etcd-error.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcStatus } from "./rpc-status.ts";

/** What a call is for, and how long it may take. */
export interface CallOptions {
  /** For messages: `list server/`. */
  readonly what: string;
  /** How long connecting, login and answer may take together, in milliseconds; of a call that goes on, its begin. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * A cluster, asked through one member at a time: whatever looks like the member's fault makes the next call go to the next
 * one, over a new connection, and ends the calls of the old one.
 */
export class Cluster {
  /** For messages: `h1:2379,h2:2379`. */
  readonly name: string;
  readonly #members: readonly Address[];
  readonly #credentials: EtcdCredentials;
  readonly #clock: Clock;
  #next: number;
  #connection: Promise<Connection> | undefined;
  /** Undefined: not logged in. */
  #token: Promise<string> | undefined;

  /** @throws RangeError for an access that cannot be */
  constructor(access: EtcdAccess, clock: Clock, random: Random) {
    this.#members = parseEtcdEndpoints(access.endpoints);
    this.#credentials = validateEtcdCredentials(access.credentials ?? readEtcdEnvironment());
    this.#clock = clock;
    this.name = this.#members.map(formatAddress).join(",");
    this.#next = Math.floor(random() * this.#members.length);
  }

  /** Asks once, and once more with a new login when the old one has expired. Throws a DiscoveryError, also when `signal` is aborted. */
  async call<Q, R>(method: Method<Q, R>, request: Q, options: CallOptions): Promise<R> {
    return this.#attempt(options, (connection) =>
      this.#within(options, async (signal) => {
        try {
          return await exchange(connection, method, request, await this.#metadata(connection, options, signal), signal);
        } catch (cause) {
          if (!isTokenStale(cause) || signal.aborted) throw cause;
          this.#token = undefined;
          return await exchange(connection, method, request, await this.#metadata(connection, options, signal), signal);
        }
      }),
    );
  }

  /** Begins a call that goes on, and hands it to `use`; it has ended when this returns. Throws as `call` does. */
  async stream<Q, R>(
    method: Method<Q, R>,
    options: CallOptions,
    use: (call: RpcCall<Q, R>) => Promise<void>,
  ): Promise<void> {
    await this.#attempt(options, async (connection) => {
      const metadata = await this.#within(options, (signal) => this.#metadata(connection, options, signal));
      const call = connection.open(method, metadata, options.signal);
      try {
        await use(call);
      } finally {
        call.end();
      }
    });
  }

  /** Ends the connection and the calls on it, for the reason given; the next call makes another. */
  async close(reason: unknown = new RpcStatus(status.CANCELLED, "closed")): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#token = undefined;
    await (await connection?.catch(() => undefined))?.close(reason); // one that could not be made needs no end
  }

  async #attempt<T>(options: CallOptions, attempt: (connection: Connection) => Promise<T>): Promise<T> {
    let mine: Promise<Connection> | undefined;
    try {
      const found = this.#connection;
      const isLost = (await found?.catch(() => undefined))?.isLost; // why one could not be made was told then
      if (isLost && this.#connection === found) await this.close();
      this.#connection ??= this.#connect();
      mine = this.#connection;
      const connection = await mine;
      await this.#within(options, (signal) => connection.connect(signal));
      return await attempt(connection);
    } catch (cause) {
      const error = describeFailure(`${options.what} on ${this.name}`, this.#credentials.user, cause);
      if (error.code === "permissionDenied")
        this.#token = undefined; // the password may be another by now
      else if (!options.signal.aborted && isMembersFault(cause) && this.#connection === mine) {
        this.#next = (this.#next + 1) % this.#members.length;
        await this.close(error);
      }
      throw error;
    }
  }

  /** Runs with a signal that is aborted, too, when the time is up; throws its reason then. */
  async #within<T>({ timeoutMs, signal }: CallOptions, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ending = new AbortController();
    const done = new AbortController();
    const end = () => ending.abort(signal.reason);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    void this.#clock.sleep(timeoutMs, done.signal, { background: true }).then(() => {
      if (!done.signal.aborted)
        ending.abort(new RpcStatus(status.DEADLINE_EXCEEDED, `no answer for ${Math.round(timeoutMs)} ms`));
    });
    try {
      const result = await run(ending.signal);
      if (ending.signal.aborted) throw ending.signal.reason;
      return result;
    } finally {
      done.abort();
      signal.removeEventListener("abort", end);
    }
  }

  async #connect(): Promise<Connection> {
    const member = this.#members[this.#next] as Address;
    try {
      return new Connection(member, await readTls(this.#credentials, member));
    } catch (cause) {
      this.#connection = undefined; // the file may be there the next time
      const message = `etcd: a file of TLS for ${this.name} cannot be read: ${(cause as Error).message}`;
      throw new DiscoveryError("permissionDenied", message, { cause });
    }
  }

  /** What goes with each call: the token, and that a member without a leader shall say so rather than wait. */
  async #metadata(connection: Connection, options: CallOptions, signal: AbortSignal): Promise<Metadata> {
    const metadata = new Metadata();
    metadata.set("hasleader", "true");
    const { user } = this.#credentials;
    if (user === undefined) return metadata;
    this.#token ??= this.#login(connection, user, options, signal);
    const login = this.#token;
    try {
      const token = await login;
      if (token) metadata.set("token", token);
      return metadata;
    } catch (cause) {
      if (this.#token === login) this.#token = undefined;
      throw cause;
    }
  }

  async #login(connection: Connection, name: string, { what }: CallOptions, signal: AbortSignal): Promise<string> {
    let password: string;
    try {
      password = await readPassword(this.#credentials);
    } catch (cause) {
      const message = `the password cannot be read: ${(cause as Error).message}`;
      throw new DiscoveryError("permissionDenied", `etcd: ${what} on ${this.name} as user ${name}: ${message}`, {
        cause,
      });
    }
    try {
      const request = { name, password };
      return (await exchange(connection, AuthService.authenticate, request, new Metadata(), signal)).token;
    } catch (cause) {
      if (isAuthDisabled(cause)) return "";
      throw cause;
    }
  }
}

/** One request, one answer; also of a method that could take more. */
async function exchange<Q, R>(
  connection: Connection,
  method: Method<Q, R>,
  request: Q,
  metadata: Metadata,
  signal: AbortSignal,
): Promise<R> {
  const call = connection.open(method, metadata, signal);
  call.send(request);
  call.closeSending();
  let answer: R | undefined;
  for await (const [first] of call.batches()) answer ??= first;
  if (answer === undefined) throw new RpcStatus(status.INTERNAL, "no answer, and no error");
  return answer;
}

/** What another member may do better; what etcd refuses with reason it refuses everywhere. */
function isMembersFault(cause: unknown): boolean {
  if (cause instanceof DiscoveryError) return false;
  const saysNo = [
    status.INVALID_ARGUMENT,
    status.NOT_FOUND,
    status.PERMISSION_DENIED,
    status.FAILED_PRECONDITION,
    status.UNAUTHENTICATED,
  ];
  return !(cause instanceof RpcStatus) || !saysNo.includes(cause.code);
}
