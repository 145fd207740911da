import { Metadata, status } from "@grpc/grpc-js";
import { type Clock, messageOf, type Random } from "@grpc-lb/core";
import { AuthService, type ResponseHeader } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { Connection, type Method, type RpcCall, RpcStatus } from "@grpc-lb/xds/channel";
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
  warnOfPlainPassword,
} from "./access.ts";
import { describeFailure, isAuthDisabled, isTokenStale } from "./error.ts";

/** The largest message that is taken, in bytes: the read of a service of some 100 000 instances, which comes as one message. */
const maxMessageBytes = 64 * 2 ** 20;

/** What a call is for, and how long it may take. */
export interface CallOptions {
  /** For messages: `list server/`. */
  readonly what: string;
  /** How long connecting, login and answer may take together, in milliseconds; for a stream: connecting and login. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * A cluster, of which one member is used at a time. A failure that another member may not have ends the connection and its
 * calls; the next call connects to the next member.
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
  /** The password and the token that were used last, which no error may repeat. */
  readonly #secrets = { password: "", token: "" };

  /** @throws RangeError for an access that is not valid */
  constructor(access: EtcdAccess, clock: Clock, random: Random) {
    this.#members = parseEtcdEndpoints(access.endpoints);
    this.#credentials = validateEtcdCredentials(access.credentials ?? readEtcdEnvironment());
    warnOfPlainPassword(this.#members, this.#credentials);
    this.#clock = clock;
    this.name = this.#members.map(formatAddress).join(",");
    this.#next = Math.floor(random() * this.#members.length);
  }

  /**
   * Makes a call, and makes it again after a new login when the old one has expired.
   *
   * @param describeAnswer what is wrong with an answer, if anything; a member that gives a wrong one is left, as one that fails
   * @throws DiscoveryError, also when `signal` is aborted
   */
  async call<Q, R>(
    method: Method<Q, R>,
    request: Q,
    options: CallOptions,
    describeAnswer?: (answer: R) => string | undefined,
  ): Promise<R> {
    return this.#attempt(options, (connection) =>
      this.#within(options, async (signal) => {
        const attempt = async () => {
          const metadata = await this.#metadata(connection, options, signal);
          const answer = await exchange(connection, method, request, metadata, signal);
          const problem = describeAnswer?.(answer);
          if (problem !== undefined) throw new RpcStatus(status.INTERNAL, problem);
          return answer;
        };
        try {
          return await attempt();
        } catch (cause) {
          if (!isTokenStale(cause) || signal.aborted) throw cause;
          this.#token = undefined;
          return await attempt();
        }
      }),
    );
  }

  /** Opens a stream and hands it to `use`; it has ended when this returns. Throws as `call` does. */
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

  /**
   * The error for outside, without the password and the token.
   *
   * @param what was done, and to what: `list server/`
   */
  describe(what: string, cause: unknown): DiscoveryError {
    const { user, tls } = this.#credentials;
    const secrets = Object.values(this.#secrets);
    return describeFailure({ what: `${what} on ${this.name}`, user, secrets, isTls: tls !== undefined }, cause);
  }

  /** Closes the connection and ends its calls with `reason`; the next call connects again. */
  async close(reason: unknown = new RpcStatus(status.CANCELLED, "closed")): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#token = undefined;
    await (await connection?.catch(() => undefined))?.close(reason); // a connection that failed needs no close
  }

  async #attempt<T>(options: CallOptions, attempt: (connection: Connection) => Promise<T>): Promise<T> {
    let mine: Promise<Connection> | undefined;
    try {
      const found = this.#connection;
      const isLost = (await found?.catch(() => undefined))?.isLost; // the call that tried to connect has reported why it failed
      if (isLost && this.#connection === found) await this.close();
      this.#connection ??= this.#connect(options.signal);
      mine = this.#connection;
      const connection = await mine;
      await this.#within(options, (signal) => connection.connect(signal));
      return await attempt(connection);
    } catch (cause) {
      const error = this.describe(options.what, cause);
      if (error.code === "permissionDenied")
        this.#token = undefined; // the password may have changed
      else if (!options.signal.aborted && isMemberFault(cause) && this.#connection === mine) {
        this.#next = (this.#next + 1) % this.#members.length;
        await this.close(error);
      }
      throw error;
    }
  }

  /** Runs with a signal that is aborted by the deadline too; throws its reason then. */
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

  /** @param signal ends the read of the files; calls that wait for this connection fail then, and are made again */
  async #connect(signal: AbortSignal): Promise<Connection> {
    const member = this.#members[this.#next] as Address;
    try {
      return new Connection({
        address: formatAddress(member),
        tls: await readTls(this.#credentials, member, signal),
        maxMessageBytes,
      });
    } catch (cause) {
      this.#connection = undefined; // the next call reads the file again
      const message = `etcd: a TLS file for ${this.name} cannot be read: ${messageOf(cause)}`;
      throw new DiscoveryError("permissionDenied", message, { cause });
    }
  }

  /** The metadata of each call: the token, and `hasleader`, by which a member without a leader fails the call at once. */
  async #metadata(connection: Connection, options: CallOptions, signal: AbortSignal): Promise<Metadata> {
    const metadata = new Metadata();
    metadata.set("hasleader", "true");
    const { user } = this.#credentials;
    if (user === undefined) return metadata;
    this.#token ??= this.#login(connection, user, options, signal);
    const login = this.#token;
    try {
      const token = await login;
      this.#secrets.token = token;
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
      password = await readPassword(this.#credentials, signal);
      this.#secrets.password = password;
    } catch (cause) {
      const message = `the password cannot be read: ${messageOf(cause)}`;
      throw new DiscoveryError("permissionDenied", `etcd: ${what} on ${this.name} as user ${name}: ${message}`, {
        cause,
      });
    }
    try {
      const request = { name, password };
      const { token } = await exchange(connection, AuthService.authenticate, request, new Metadata(), signal);
      if (token === "") throw new RpcStatus(status.INTERNAL, "an answer without a token");
      return token;
    } catch (cause) {
      if (isAuthDisabled(cause)) return "";
      throw cause;
    }
  }
}

/** One request and one answer, also for a method that could take more. */
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
  for await (const [first, ...more] of call.batches()) {
    if (answer !== undefined || more.length > 0) {
      call.end();
      throw new RpcStatus(status.INTERNAL, "more than one answer");
    }
    answer = first;
  }
  if (answer === undefined) throw new RpcStatus(status.INTERNAL, "no answer, and no error");
  return answer;
}

/** What is wrong with the header of an answer; nothing with one that has the store's revision, as etcd's all have. */
export function describeHeader(header: ResponseHeader | undefined): string | undefined {
  return header && header.revision > 0n ? undefined : "an answer without a revision";
}

/** Whether another member may answer; what etcd refuses, every member refuses. */
function isMemberFault(cause: unknown): boolean {
  if (cause instanceof DiscoveryError) return false;
  const refusals = [
    status.INVALID_ARGUMENT,
    status.NOT_FOUND,
    status.PERMISSION_DENIED,
    status.FAILED_PRECONDITION,
    status.UNAUTHENTICATED,
  ];
  return !(cause instanceof RpcStatus) || !refusals.includes(cause.code);
}
