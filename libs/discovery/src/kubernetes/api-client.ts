import type { RequestOptions } from "node:https";
import { type Clock, messageOf, unbracketHost } from "@grpc-lb/core";
import { type HttpAnswer, HttpClient, RequestGuard } from "@grpc-lb/core/http";
import { DiscoveryError } from "../core/discovery-error.ts";
import { describeRefusal, describeUnavailable } from "./error.ts";
import { parseAnswer } from "./reader.ts";

/** What a request to the API server is made with; read again as the files behind it are replaced. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly tls: Pick<RequestOptions, "ca" | "cert" | "key" | "passphrase" | "servername" | "rejectUnauthorized">;
}

/** How to reach an API server: in cluster by the service account, outside by a kubeconfig. */
export interface ApiAccess {
  /** An https or http URL. What is secret must not be among the credentials for one of http. */
  readonly server: URL;
  /** The namespace to use when a target names none. */
  readonly namespace: string;
  /** The proxy before the server, an http or https URL. Default: none. */
  readonly proxy?: URL | undefined;
  /**
   * Returns the credentials for one request.
   *
   * @param afterDenial whether the last ones were refused, so that nothing cached may be used
   * @param signal is aborted when the caller needs them no more: what runs for it alone may be ended. A caller that gives one
   * keeps the process alive as long as it should be
   */
  credentials(afterDenial: boolean, signal?: AbortSignal): Promise<Credentials>;
}

/** A request to the API server. It is sent again when a kept connection was closed meanwhile: it must be one that may be repeated. */
export interface ApiRequest {
  /** Default: GET. */
  readonly method?: "GET" | "PATCH" | "DELETE";
  /** The patch, with its content type. Default: none. */
  readonly body?: { readonly type: string; readonly text: string };
  /** Path and query. */
  readonly path: string;
  /** The verb and its object, for messages: `list endpointslices default/server`. */
  readonly what: string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** How long the server may make no progress, in milliseconds. Default: 15 s. */
  readonly silenceMs?: number;
  /**
   * How long the whole may take, in milliseconds: credentials, a second try after a 401, and the answer to its last byte.
   * Default: 60 s.
   */
  readonly totalMs?: number;
}

/** An API server that accepts and does not answer is given up after this long, and so is an answer that stops. */
const answerTimeoutMs = 15_000;
/** An answer that drips is never silent, and is given up all the same. */
const wholeAnswerTimeoutMs = 60_000;

/** Requests to an API server over HTTP/1.1: those of discovery get, list and watch. */
export class ApiClient {
  readonly #access: ApiAccess;
  readonly #clock: Clock;
  readonly #http: HttpClient;

  /** @param options.background whether its sockets do not keep the process alive; default: false */
  constructor(access: ApiAccess, clock: Clock, { background = false }: { readonly background?: boolean } = {}) {
    this.#access = access;
    this.#clock = clock;
    this.#http = new HttpClient({ isSecure: this.#isSecure, background, proxy: access.proxy });
  }

  /** `kubectl proxy` and tests speak plain HTTP. */
  get #isSecure(): boolean {
    return this.#access.server.protocol === "https:";
  }

  /** Closes the connections. */
  close(): void {
    this.#http.close();
  }

  /** Gets an object and reads it. @throws DiscoveryError, also for what `read` throws */
  get<T>(request: ApiRequest, read: (answer: unknown) => T): Promise<T> {
    return this.stream(request, async (answer) => read(parseAnswer(await answer.text())));
  }

  /**
   * Makes a request and gives its answer to `read`. After a 401 it is tried once more with credentials that are read again.
   * When the returned promise settles, the request has ended.
   *
   * @throws DiscoveryError
   */
  async stream<T>(request: ApiRequest, read: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const guard = new RequestGuard(request.signal, this.#clock, request.totalMs ?? wholeAnswerTimeoutMs);
    const silenceMs = request.silenceMs ?? answerTimeoutMs;
    const attempt = (afterDenial: boolean) =>
      this.#exchange(request, guard, afterDenial, async (answer) => {
        if (answer.status === 401 && !afterDenial) return undefined;
        if (answer.status !== 200) throw await describeRefusal(answer, request.what);
        guard.allow(silenceMs);
        return { value: await read(answer) };
      });
    try {
      return ((await attempt(false)) ?? ((await attempt(true)) as { value: T })).value;
    } catch (cause) {
      if (cause instanceof DiscoveryError) throw cause;
      // An ended request throws an abort error; the guard knows the reason.
      const { server, proxy } = this.#access;
      throw describeUnavailable(request.what, server, guard.signal.aborted ? guard.signal.reason : cause, proxy);
    } finally {
      guard.release();
    }
  }

  async #exchange<T>(
    { path, what, signal, silenceMs = answerTimeoutMs, method = "GET", body }: ApiRequest,
    guard: RequestGuard,
    afterDenial: boolean,
    read: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    // Before the credentials: an exec plugin that never returns must not hide that the endpoints are no longer watched.
    guard.allow(Math.min(silenceMs, answerTimeoutMs));
    const { headers, tls } = await guard.race(this.#access.credentials(afterDenial, signal)).catch((cause) => {
      if (cause !== guard.signal.reason) throw cause;
      // Not the server's fault, which has received nothing yet.
      const message = `kubernetes: ${what}: the credentials did not come: ${messageOf(cause)}`;
      throw new DiscoveryError("unavailable", message, { cause });
    });
    guard.heard();
    const { hostname, port, pathname } = this.#access.server;
    return await this.#http.exchange(
      {
        tls,
        host: unbracketHost(hostname),
        port: Number(port) || (this.#isSecure ? 443 : 80),
        path: pathname.replace(/\/$/, "") + path,
        method,
        headers: { ...headers, accept: "application/json", ...(body && { "content-type": body.type }) },
        ...(body && { body: body.text }),
      },
      guard,
      read,
    );
  }
}
