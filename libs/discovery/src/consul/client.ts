import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { Clock } from "@grpc-lb/core";
import { RequestGuard } from "@grpc-lb/core/http";
import { formatAddress } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import { type ConsulAccess, CredentialFiles, type ReadCredentials } from "./access.ts";
import { type Asked, describeNonsense, describeRefusal, describeSilence } from "./consul-error.ts";

/** A request to the agent. */
export interface ConsulRequest extends Pick<Asked, "what" | "needs"> {
  readonly method: "GET" | "PUT";
  /** Path and query. */
  readonly path: string;
  /** Sent as JSON. Default: nothing. */
  readonly body?: object;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** How long the agent may say nothing, in milliseconds: before its answer, and in the middle of it. */
  readonly silenceMs: number;
  /** How long the answer may be, in characters. Default: 64 Mi, as of 30 000 instances. */
  readonly maxLength?: number;
}

/** What the agent has said, and that it was 200. */
export interface ConsulAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Whether it was asked with a token. */
  readonly hasToken: boolean;
}

/** An answer that trickles is never silent, and is given up all the same when it takes so much longer than the silence allowed. */
const wholeAnswerMs = 60_000;
const maxAnswerLength = 64 * 1024 * 1024;

/** Loaded when it is used, as TLS costs a process without it much of what importing this part does. */
const loadHttps = () => process.getBuiltinModule("node:https");

/** The few requests that are made of an agent, over HTTP/1.1, one at a time; by connections that keep no process alive. */
export class ConsulClient {
  /** `host:port`, for messages. */
  readonly agent: string;
  readonly #access: ConsulAccess;
  readonly #clock: Clock;
  readonly #files: CredentialFiles;
  // TCP keepalive notices an agent's machine that is gone without a word.
  readonly #connections: HttpAgent;

  constructor(access: ConsulAccess, clock: Clock) {
    this.agent = formatAddress(access.agent);
    this.#access = access;
    this.#clock = clock;
    this.#files = new CredentialFiles(access.credentials, clock);
    const Agent = this.#isSecure ? loadHttps().Agent : HttpAgent;
    this.#connections = new Agent({ keepAlive: true, keepAliveMsecs: 15_000 });
  }

  get #isSecure(): boolean {
    return this.#access.credentials.tls !== undefined;
  }

  /** Closes the connections. */
  close(): void {
    this.#connections.destroy();
  }

  /** The token was refused otherwise than by a 403: for the next request the files are read again. */
  distrustCredentials(): void {
    this.#files.distrust();
  }

  /**
   * Asks; after a refusal once more, where the files hold another token by now. When the returned promise settles, the
   * request has ended.
   *
   * @throws DiscoveryError, with `status` where the agent answered other than 200
   */
  async request(request: ConsulRequest): Promise<ConsulAnswer> {
    const guard = new RequestGuard(request.signal, this.#clock, request.silenceMs + wholeAnswerMs);
    guard.allow(request.silenceMs);
    let token: string | undefined;
    try {
      const first = await guard.race(this.#files.read());
      token = first.token;
      try {
        return await this.#ask(request, guard, first);
      } catch (error) {
        if (!(error instanceof DiscoveryError) || error.code !== "permissionDenied") throw error;
        this.#files.distrust();
        const second = await guard.race(this.#files.read());
        if (second.token === first.token) throw error;
        token = second.token;
        return await this.#ask(request, guard, second);
      }
    } catch (cause) {
      if (cause instanceof DiscoveryError) throw cause;
      // What a broken-off request throws tells that it was broken off; why is what the guard knows.
      throw describeSilence(this.#asked(request, token), guard.signal.aborted ? guard.signal.reason : cause);
    } finally {
      guard.release();
    }
  }

  #asked({ what, needs }: ConsulRequest, token: string | undefined): Asked {
    return { what, needs, agent: this.agent, token };
  }

  async #ask(request: ConsulRequest, guard: RequestGuard, credentials: ReadCredentials): Promise<ConsulAnswer> {
    const { token } = credentials;
    const response = await this.#open(request, guard, credentials);
    try {
      const status = response.statusCode ?? 0;
      const { headers, statusMessage: phrase = "" } = response;
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) {
        guard.heard();
        text += chunk;
        if (text.length > (request.maxLength ?? maxAnswerLength)) {
          throw describeNonsense(
            this.#asked(request, token),
            `the answer is longer than ${request.maxLength ?? maxAnswerLength} characters`,
          );
        }
      }
      if (status !== 200) throw describeRefusal(this.#asked(request, token), { status, phrase, headers, text });
      return { headers, text, hasToken: token !== undefined };
    } finally {
      response.destroy(); // no effect on one that was read to its end, whose connection is kept
    }
  }

  async #open(
    { method, path, body }: ConsulRequest,
    guard: RequestGuard,
    { token, tls }: ReadCredentials,
  ): Promise<IncomingMessage> {
    const { host, port } = this.#access.agent;
    const text = body === undefined ? "" : JSON.stringify(body);
    const options = {
      ...(this.#isSecure && tls),
      host,
      port,
      method,
      path,
      headers: {
        accept: "application/json",
        ...(token !== undefined && { "x-consul-token": token }),
        ...(method === "PUT" && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      },
      agent: this.#connections,
      signal: guard.signal,
    };
    for (;;) {
      const request = (this.#isSecure ? loadHttps().request : httpRequest)(options);
      request.on("socket", (socket) => socket.unref()); // each time, as the pool refs a kept one for its next request
      try {
        return await new Promise((resolve, reject) => request.on("response", resolve).on("error", reject).end(text));
      } catch (error) {
        // A kept connection that the agent has closed meanwhile says nothing about the agent, and what we ask may be asked twice.
        const isStale =
          request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test((error as NodeJS.ErrnoException).code ?? "");
        if (!isStale || guard.signal.aborted) throw error;
      }
    }
  }
}
