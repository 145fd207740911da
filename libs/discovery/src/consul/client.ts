import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "@grpc-lb/core";
import { HttpClient, RequestGuard } from "@grpc-lb/core/http";
import { formatAddress } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import { type ConsulAccess, CredentialFiles, type ReadCredentials, warnOfPlainSecrets } from "./access.ts";
import { describeRefusal, describeUnavailable, type Exchange } from "./error.ts";

/** A request to the agent. */
export interface ConsulRequest extends Pick<Exchange, "what" | "needs"> {
  readonly method: "GET" | "PUT";
  /** Path and query. */
  readonly path: string;
  /** Sent as JSON. Default: nothing. */
  readonly body?: object;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** How long the agent may be silent before its answer begins, in milliseconds. */
  readonly silenceMs: number;
  /** How long it may be silent in the middle of its answer, in milliseconds. Default: `silenceMs`. */
  readonly pauseMs?: number;
  /** How long the whole may take, in milliseconds: credentials, a second try after a refusal, and the answer to its last byte. */
  readonly totalMs: number;
  /** How long the answer may be, in characters. Default: 64 Mi, or about 30 000 instances. */
  readonly maxLength?: number;
}

/** An answer of status 200. */
export interface ConsulAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Whether the request had a token. */
  readonly hasToken: boolean;
}

/** How much of a refusal is read, in characters: secrets are left out of it before it is cut for the message. */
const maxRefusalLength = 16_384;

/** Makes requests to an agent with the credentials as they are now. Its connections do not keep the process alive. */
export class ConsulClient {
  /** `host:port`, for messages. */
  readonly agent: string;
  readonly #access: ConsulAccess;
  readonly #clock: Clock;
  readonly #files: CredentialFiles;
  readonly #http: HttpClient;
  /** That of the last request. */
  #token: string | undefined;

  constructor(access: ConsulAccess, clock: Clock) {
    this.agent = formatAddress(access.agent);
    this.#access = access;
    this.#clock = clock;
    this.#files = new CredentialFiles(access.credentials, clock);
    this.#http = new HttpClient({ isSecure: access.credentials.tls !== undefined, background: true });
    warnOfPlainSecrets(access);
  }

  /** Closes the connections. */
  close(): void {
    this.#http.close();
  }

  /** Makes the next request read the credentials' files: the token is refused otherwise than by a 403. */
  invalidateCredentials(): void {
    this.#files.invalidate();
  }

  /**
   * Makes a request; after a refusal once more, if the token file has another token by now. When the returned promise settles,
   * the exchange has ended.
   *
   * @throws DiscoveryError, with `status` if the agent answered with another one than 200
   */
  async request(request: ConsulRequest): Promise<ConsulAnswer> {
    const guard = new RequestGuard(request.signal, this.#clock, request.totalMs);
    const readCredentials = () => {
      guard.allow(request.silenceMs);
      return guard.race(this.#files.read());
    };
    try {
      const first = await readCredentials();
      try {
        return await this.#exchange(request, guard, first);
      } catch (error) {
        if (!(error instanceof DiscoveryError) || error.code !== "permissionDenied") throw error;
        this.#files.invalidate();
        const second = await readCredentials();
        if (second.token === first.token) throw error;
        return await this.#exchange(request, guard, second);
      }
    } catch (cause) {
      if (cause instanceof DiscoveryError) throw cause;
      // An ended request throws an abort error; the guard knows the reason.
      throw describeUnavailable(this.describe(request), guard.signal.aborted ? guard.signal.reason : cause);
    } finally {
      guard.release();
    }
  }

  /** For the message of an error: the request, and what must not be in it. */
  describe({ what, needs }: Pick<Exchange, "what" | "needs">): Exchange {
    const { basicAuth = "" } = this.#access.credentials;
    const password = basicAuth.slice(basicAuth.indexOf(":") + 1);
    return { what, needs, agent: this.agent, secrets: [this.#token ?? "", basicAuth, password] };
  }

  #exchange(request: ConsulRequest, guard: RequestGuard, { token, tls }: ReadCredentials): Promise<ConsulAnswer> {
    this.#token = token;
    const { method, path } = request;
    const { agent, credentials } = this.#access;
    const body = request.body === undefined ? "" : JSON.stringify(request.body);
    const { basicAuth } = credentials;
    const headers = {
      accept: "application/json",
      ...(token !== undefined && { "x-consul-token": token }),
      ...(basicAuth !== undefined && { authorization: `Basic ${Buffer.from(basicAuth).toString("base64")}` }),
      ...(method === "PUT" && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    };
    const { host, port } = agent;
    const whole = { method, host, port, path, headers, body, ...(credentials.tls && { tls }) };
    return this.#http.exchange(whole, guard, async (answer) => {
      guard.allow(request.pauseMs ?? request.silenceMs);
      const hasToken = token !== undefined;
      if (answer.status === 200) {
        return { headers: answer.headers, text: await answer.text(request.maxLength), hasToken };
      }
      const { status, phrase, headers } = answer;
      const text = await answer.beginning(maxRefusalLength);
      throw describeRefusal(this.describe(request), { status, phrase, headers, text, hasToken });
    });
  }
}
