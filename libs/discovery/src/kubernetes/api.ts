import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import type { Clock } from "@grpc-lb/core";
import { RequestGuard } from "@grpc-lb/core/http";
import { DiscoveryError } from "../core/discovery-error.ts";
import { describeRefusal, unavailable } from "./api-error.ts";

/** What a request to the API server is made with; read anew as the files behind it are replaced. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Pick<RequestOptions, "ca" | "cert" | "key" | "passphrase" | "servername" | "rejectUnauthorized">;
}

/** How to reach an API server: in cluster by the service account, outside by a kubeconfig. */
export interface ApiAccess {
  readonly server: URL;
  /** The namespace to use when a target names none. */
  readonly namespace: string;
  /**
   * @param afterDenial whether the last ones were refused, so that nothing cached may be trusted
   * @param signal is aborted when who asks needs them no more: what runs for them alone may be ended. Who gives one sees to it
   * that the process lives as long as it should
   */
  credentials(afterDenial: boolean, signal?: AbortSignal): Promise<Credentials>;
}

/** A request that discovery makes. */
export interface ApiRequest {
  /** Path and query. */
  readonly path: string;
  /** The verb and what it is done to, for messages: `list endpointslices default/server`. */
  readonly what: string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** How long the answer may pause, in milliseconds. Default: 15 s. */
  readonly silenceMs?: number;
  /**
   * How long the whole may take, in milliseconds: credentials, a second try after a 401, and the answer to its last byte.
   * Default: 60 s for `get`; no end for `stream`, as a watch has its own.
   */
  readonly totalMs?: number;
}

/** An API server that accepts and does not answer is given up after this long, and so is an answer that stops. */
const answerTimeoutMs = 15_000;
/** An answer that trickles is never silent, and is given up all the same. */
const wholeAnswerTimeoutMs = 60_000;

/** The few requests that discovery makes, over HTTP/1.1: it needs no more of an API server than get, list and watch. */
export class ApiClient {
  readonly #access: ApiAccess;
  readonly #clock: Clock;
  readonly #isBackground: boolean;
  // One connection serves the list and then the watch. TCP keepalive notices a peer that is gone without a word.
  readonly #agent: HttpAgent;

  /** @param options.background whether its sockets do not keep the process alive; default: false */
  constructor(access: ApiAccess, clock: Clock, options: { readonly background?: boolean } = {}) {
    this.#access = access;
    this.#clock = clock;
    this.#isBackground = options.background ?? false;
    const Agent = this.#isSecure ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ keepAlive: true, keepAliveMsecs: 15_000 });
  }

  /** `kubectl proxy` and tests speak plain HTTP. */
  get #isSecure(): boolean {
    return this.#access.server.protocol === "https:";
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }

  /** Gets an object. @throws DiscoveryError */
  get<T>(request: ApiRequest): Promise<T> {
    return this.stream({ totalMs: wholeAnswerTimeoutMs, ...request }, async (chunks) => {
      let text = "";
      for await (const chunk of chunks) text += chunk;
      try {
        return JSON.parse(text) as T;
      } catch (cause) {
        throw new DiscoveryError("unavailable", `kubernetes: ${request.what}: the answer is no JSON`, { cause });
      }
    });
  }

  /**
   * Makes a request and gives its body to `read` as it comes. A 401 is tried once more with credentials that are read anew.
   * When the returned promise settles, the request has ended.
   *
   * @throws DiscoveryError
   */
  async stream<T>(request: ApiRequest, read: (chunks: AsyncIterable<string>) => Promise<T>): Promise<T> {
    const guard = new RequestGuard(request.signal, this.#clock, request.totalMs);
    try {
      let response = await this.#open(request, guard, false);
      if (response.statusCode === 401) {
        response.destroy();
        response = await this.#open(request, guard, true);
      }
      try {
        if (response.statusCode !== 200) throw await describeRefusal(response, request.what);
        guard.allow(request.silenceMs ?? answerTimeoutMs);
        return await read(listen(response, guard));
      } finally {
        response.destroy(); // no effect on one that was read to its end, whose connection is kept
      }
    } catch (cause) {
      if (cause instanceof DiscoveryError) throw cause;
      // What a broken-off request throws tells that it was broken off; why is what the guard knows.
      throw unavailable(request.what, this.#access.server, guard.signal.aborted ? guard.signal.reason : cause);
    } finally {
      guard.release();
    }
  }

  async #open(
    { path, what, signal, silenceMs }: ApiRequest,
    guard: RequestGuard,
    afterDenial: boolean,
  ): Promise<IncomingMessage> {
    // Before the credentials: an exec plugin that never comes back must not leave the last endpoints standing without a word.
    guard.allow(Math.min(silenceMs ?? answerTimeoutMs, answerTimeoutMs));
    const { headers, tls } = await guard.race(this.#access.credentials(afterDenial, signal)).catch((cause) => {
      if (cause !== guard.signal.reason) throw cause;
      // No fault of the server's, which has not been asked yet.
      const message = `kubernetes: ${what}: the credentials did not come: ${(cause as Error).message}`;
      throw new DiscoveryError("unavailable", message, { cause });
    });
    guard.heard();
    const { hostname, port, pathname } = this.#access.server;
    const options = {
      ...tls,
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port || (this.#isSecure ? 443 : 80),
      path: pathname.replace(/\/$/, "") + path,
      headers: { ...headers, accept: "application/json" },
      agent: this.#agent,
      signal: guard.signal,
    };
    for (;;) {
      const request = (this.#isSecure ? httpsRequest : httpRequest)(options);
      // Each time, as the agent refs a kept socket for its next request.
      if (this.#isBackground) request.on("socket", (socket) => socket.unref());
      try {
        return await new Promise((resolve, reject) => request.on("response", resolve).on("error", reject).end());
      } catch (error) {
        // A kept connection that the server has closed meanwhile says nothing about the server: https://nodejs.org/api/http.html#requestreusedsocket
        const isStale =
          request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test((error as NodeJS.ErrnoException).code ?? "");
        if (!isStale) throw error;
      }
    }
  }
}

async function* listen(response: IncomingMessage, guard: RequestGuard): AsyncGenerator<string, void, void> {
  for await (const chunk of response.setEncoding("utf8")) {
    guard.heard();
    yield chunk;
  }
}
