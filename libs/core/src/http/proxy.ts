import { request as httpRequest, type RequestOptions } from "node:http";
import type { Socket } from "node:net";
import { formatHostPort, unbracketHost } from "../host-port.ts";
import { messageOf } from "../message-of.ts";
import { type StatusLine, skipInformational } from "./connect-answer.ts";
import type { HttpRequest } from "./http-client.ts";
import { HttpError } from "./http-error.ts";

/** Loaded on first use: TLS costs most of what importing these files does. */
export const loadHttps = () => process.getBuiltinModule("node:https");

/** The address of a server as HTTP writes it, IPv6 in brackets: `10.0.0.1:443`, `[::1]:443`. */
const authorityOf = ({ host, port }: HttpRequest) => formatHostPort(host, port);

/** Turns the options of a plain HTTP request into those of the same request to a proxy (RFC 9112, section 3.2.2). */
export function forwardByProxy(proxy: URL, request: HttpRequest): RequestOptions {
  const authority = authorityOf(request);
  const headers = { host: authority, ...authorization(proxy), ...request.headers };
  return { ...addressOf(proxy), path: `http://${authority}${request.path}`, headers };
}

/**
 * Opens a connection to the server of `request` through a proxy: CONNECT (RFC 9110, section 9.3.6). Node's own agent does the
 * same for its option `proxyEnv`, but an abort does not end a request whose proxy accepts and never answers.
 *
 * @param isBackground whether the connection does not keep the process alive
 * @throws HttpError that names the proxy
 */
export async function openTunnel(
  proxy: URL,
  request: HttpRequest,
  signal: AbortSignal,
  isBackground: boolean,
): Promise<Socket> {
  const authority = authorityOf(request);
  const options = { ...addressOf(proxy), method: "CONNECT", path: authority, agent: false, signal } as const;
  const start = proxy.protocol === "https:" ? loadHttps().request : httpRequest;
  const connect = start({ ...options, headers: { host: authority, ...authorization(proxy) } });
  if (isBackground) connect.on("socket", (socket) => socket.unref());
  let socket: Socket | undefined;
  try {
    const { answer, head } = await new Promise<{ readonly answer: StatusLine; readonly head: Buffer }>(
      (resolve, reject) => {
        connect.on("error", reject);
        connect.on("connect", ({ statusCode = 0, statusMessage = "" }, connected, head) => {
          socket = connected as Socket;
          resolve({ answer: { status: statusCode, phrase: statusMessage }, head });
        });
        connect.end();
      },
    );
    const isFinal = answer.status >= 200 || answer.status === 101;
    const { status, phrase } = isFinal || !socket ? answer : await skipInformational(socket, head, signal);
    if (!socket || status < 200 || status >= 300)
      throw new HttpError(`CONNECT ${authority}: ${status} ${phrase}`.trim());
    return socket;
  } catch (cause) {
    socket?.destroy();
    throw nameProxy(proxy, cause);
  }
}

/** The error of a proxy, by its host: its user and password are secret. */
export function nameProxy(proxy: URL, cause: unknown): HttpError {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return new HttpError(`proxy ${proxy.host}: ${parts.map(messageOf).join("; ")}`, { cause });
}

function addressOf(proxy: URL) {
  const port = Number(proxy.port) || (proxy.protocol === "https:" ? 443 : 80);
  return { host: unbracketHost(proxy.hostname), port };
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}
