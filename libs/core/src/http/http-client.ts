import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import type { RequestOptions } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity } from "../check-server-identity.ts";
import { maxInformational } from "./connect-answer.ts";
import { HttpError } from "./http-error.ts";
import { forwardByProxy, loadHttps, nameProxy, openTunnel } from "./proxy.ts";
import type { RequestGuard } from "./request-guard.ts";

/** How long an answer may be, in characters, unless its reader says otherwise: enough for 100 000 endpoints. */
const maxTextLength = 64 * 1024 * 1024;
/** How long a line may be, in characters, unless its reader says otherwise: enough for an object of etcd's largest size. */
const maxLineLength = 4 * 1024 * 1024;

/** How connections are made. */
export interface HttpClientOptions {
  /** Whether TLS is spoken. */
  readonly isSecure: boolean;
  /** Whether connections do not keep the process alive. Default: false. */
  readonly background?: boolean;
  /** Whether a connection is kept for the next request. Default: true. */
  readonly keepAlive?: boolean;
  /**
   * The proxy, an http or https URL, with user and password if it wants them. TLS goes through a tunnel, of which there is a new
   * one for each request. Default: none.
   */
  readonly proxy?: URL | undefined;
}

/** One request. */
export interface HttpRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** Several values are sent as several headers of that name. Text is sent as UTF-8. */
  readonly headers?: Readonly<Record<string, string | number | readonly string[]>>;
  /** Default: no body. */
  readonly body?: string;
  readonly tls?: Pick<
    RequestOptions,
    "ca" | "cert" | "key" | "passphrase" | "servername" | "rejectUnauthorized" | "minVersion"
  >;
}

/**
 * HTTP/1.1 exchanges that always end, whatever the peer does: by the answer, an error, or the guard, which knows the deadlines
 * and the owner's abort. An upgrade (101) is an error, as none is requested. Needs no more of HTTP than discovery does.
 */
export class HttpClient {
  readonly #isSecure: boolean;
  readonly #isBackground: boolean;
  readonly #agent: HttpAgent;
  readonly #proxy: URL | undefined;

  constructor({ isSecure, background = false, keepAlive = true, proxy }: HttpClientOptions) {
    this.#isSecure = isSecure;
    this.#isBackground = background;
    this.#proxy = proxy;
    const Agent = isSecure ? loadHttps().Agent : HttpAgent;
    // TCP keepalive notices a peer that is gone without a word. A resumed session would not verify the server's certificate again.
    this.#agent = new Agent({ keepAlive, keepAliveMsecs: 15_000, ...(isSecure && { maxCachedSessions: 0 }) });
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }

  /**
   * Sends a request and gives its answer to `read`. When the returned promise has settled, the exchange has ended. A request
   * on a kept connection that the peer has closed meanwhile is sent again: it must be one that may be repeated.
   *
   * @throws what `read` throws, the error of the connection, or an HttpError; when the guard ended it, see `guard.signal.reason`
   */
  async exchange<T>(request: HttpRequest, guard: RequestGuard, read: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const response = await this.#open(request, guard);
    try {
      return await read(new HttpAnswer(response, guard));
    } finally {
      response.destroy(); // no effect on one that was read to its end, whose connection is kept
    }
  }

  async #open(wanted: HttpRequest, guard: RequestGuard): Promise<IncomingMessage> {
    const { tls, body = "", method = "GET", ...rest } = wanted;
    const headers = encodeHeaders(wanted.headers ?? {});
    const route = await this.#route({ ...wanted, headers }, guard);
    const secure = this.#isSecure ? { checkServerIdentity, ...tls } : {};
    const options: RequestOptions = { ...secure, ...rest, headers, method, signal: guard.signal, ...route };
    for (;;) {
      const request = (this.#isSecure ? loadHttps().request : httpRequest)(options);
      // Each time, as the agent refs a kept socket for its next request.
      if (this.#isBackground) request.on("socket", (socket) => socket.unref());
      try {
        return await new Promise((resolve, reject) => {
          request.on("response", resolve).on("error", reject);
          let informational = 0;
          request.on("information", () => {
            if (++informational === maxInformational + 1)
              request.destroy(new HttpError(`more than ${maxInformational} informational responses`));
          });
          // Without a listener Node destroys the socket and emits nothing at all.
          request.on("upgrade", ({ statusCode, statusMessage }, socket) => {
            socket.destroy();
            reject(new HttpError(`${statusCode} ${statusMessage}: no upgrade was requested`));
          });
          request.end(body);
        });
      } catch (error) {
        // It says nothing about the server: https://nodejs.org/api/http.html#requestreusedsocket
        const { code = "" } = error as NodeJS.ErrnoException;
        const isStale = request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test(code);
        if (isStale && !guard.signal.aborted) continue;
        throw this.#proxy && !this.#isSecure ? nameProxy(this.#proxy, error) : error;
      }
    }
  }

  /** Over which connection a request goes: one of the agent's, or one through a tunnel. */
  async #route(request: HttpRequest, { signal }: RequestGuard): Promise<RequestOptions> {
    const proxy = this.#proxy;
    if (!proxy) return { agent: this.#agent };
    if (!this.#isSecure) return { agent: this.#agent, ...forwardByProxy(proxy, request) };
    const socket = await openTunnel(proxy, request, signal, this.#isBackground);
    const { host, tls } = request;
    const name = isIP(host) === 0 ? { servername: host } : {};
    const { connect } = process.getBuiltinModule("node:tls");
    return { createConnection: () => connect({ ...name, checkServerIdentity, ...tls, socket, host }) };
  }
}

/** UTF-8, as Go and curl send header values: Node would send Latin-1, and refuse what that does not have. */
function encodeHeaders(headers: NonNullable<HttpRequest["headers"]>) {
  const encode = (value: string | number) => Buffer.from(String(value)).toString("latin1");
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(encode) : encode(value as string | number),
    ]),
  ) satisfies OutgoingHttpHeaders;
}

/** The answer to a request; its body can be read once. */
export class HttpAnswer {
  readonly status: number;
  /** The reason phrase, such as `Not Found`. */
  readonly phrase: string;
  readonly headers: IncomingHttpHeaders;
  /** What came behind the last newline, when `lines` has ended. */
  rest = "";
  /** How many characters `lines` has read so far, newlines included. */
  received = 0;
  readonly #response: IncomingMessage;
  readonly #guard: RequestGuard;

  constructor(response: IncomingMessage, guard: RequestGuard) {
    this.status = response.statusCode ?? 0;
    this.phrase = response.statusMessage ?? "";
    this.headers = response.headers;
    this.#response = response;
    this.#guard = guard;
  }

  /** Tells the guard that the peer has made progress, as `lines` does not. */
  heard(): void {
    this.#guard.heard();
  }

  /** The body. Each piece of it is progress for the guard. @throws HttpError when it is longer than `maxLength` characters */
  async text(maxLength = maxTextLength): Promise<string> {
    const parts: string[] = [];
    let length = 0;
    for await (const chunk of this.#response.setEncoding("utf8")) {
      this.#guard.heard();
      length += chunk.length;
      if (length > maxLength) throw new HttpError(`the answer is longer than ${maxLength} characters`);
      parts.push(chunk);
    }
    this.#guard.signal.throwIfAborted(); // a body without a length looks whole wherever it ends
    return parts.join("");
  }

  /** The first `length` characters of the body, or fewer; never throws. For the words of a refusal. */
  async beginning(length: number): Promise<string> {
    let text = "";
    try {
      for await (const chunk of this.#response.setEncoding("utf8")) {
        text += chunk;
        if (text.length >= length) break;
      }
    } catch {
      // The status has said the most; that the rest of its words did not come adds nothing.
    }
    return text.slice(0, length);
  }

  /**
   * The lines of the body as they come, empty ones left out; those that one piece completes come together. What has no newline
   * at the end is `rest`. Nothing of it is progress for the guard: that is its reader's to say.
   *
   * @throws HttpError when a line is longer than `maxLength` characters
   */
  async *lines(maxLength = maxLineLength): AsyncGenerator<readonly string[], void, void> {
    // The pieces of a line are joined once: adding each to the text before would cost the square of a long line.
    let parts: string[] = [];
    let length = 0;
    for await (const chunk of this.#response.setEncoding("utf8")) {
      this.received += chunk.length;
      const lines: string[] = [];
      let from = 0;
      for (let at = chunk.indexOf("\n"); at >= 0; at = chunk.indexOf("\n", from)) {
        parts.push(chunk.slice(from, at));
        from = at + 1;
        const line = parts.join("");
        parts = [];
        length = 0;
        if (line.trim() !== "") lines.push(line);
      }
      if (from < chunk.length) {
        length += chunk.length - from;
        if (length > maxLength) throw new HttpError(`a line of the answer is longer than ${maxLength} characters`);
        parts.push(from === 0 ? chunk : chunk.slice(from));
      }
      if (lines.length > 0) yield lines;
    }
    this.#guard.signal.throwIfAborted(); // as in `text`
    this.rest = parts.join("");
  }
}
