import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { messageOf } from "@grpc-lb/core";
import { type AdminAnswer, type AdminRoutes, createRouter } from "./routes.ts";

/** Bounds of what peers can make a server hold. Node limits the headers of a request to 16 kB. */
export interface RouteServerLimits {
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  /** From the first byte of a connection or request to its end, and for an answer that the peer does not read. */
  readonly timeoutMs: number;
  readonly checkIntervalMs: number;
  /** How long a connection may have no request. */
  readonly keepAliveTimeoutMs: number;
  /** How long requests in progress may take when the server closes. */
  readonly closeMs: number;
}

/** An HTTP server of routes. */
export interface RouteServer {
  /** Not listening yet. */
  readonly server: Server;
  /** Accepts no new connection; resolves when all are closed, and the routes too. May be called twice, and before it listens. */
  close(): Promise<void>;
}

/**
 * Creates an HTTP server of a few exact paths, on `node:http` alone: a framework would cost the start of a client more processor time than
 * all else that its admin port needs. No answer is cached. A path without a route is 404, another method 405.
 *
 * @throws Error when two routes have the same method and path
 */
export function createRouteServer(groups: readonly AdminRoutes[], limits: RouteServerLimits): RouteServer {
  const findRoute = createRouter(groups.flatMap(({ routes }) => routes));
  const reported = new Set<string>();
  /** A bug is reported once for each route, not with each probe. */
  const report = (route: string, error: unknown) => {
    if (reported.has(route)) return;
    reported.add(route);
    process.emitWarning(`admin port: ${route} failed: ${messageOf(error)}`, { type: "GrpcLbWarning" });
  };

  const answerOf = async (request: IncomingMessage, method: string, path: string): Promise<AdminAnswer> => {
    const match = findRoute(method, path);
    if (match.t === "unknown path") return statusOnly(404);
    if (match.t === "wrong method") return statusOnly(405, { allow: match.allowed });
    const { route } = match;
    const { headers, headersDistinct } = request;
    const refusal = await route.refuse?.({ headers, headersDistinct });
    if (refusal) return refusal;
    const body = await readBody(request, route.maxBodyBytes ?? limits.maxBodyBytes);
    return typeof body === "string" ? route.answer({ headers, headersDistinct, body }) : body;
  };

  let closed: Promise<void> | undefined;
  const options = {
    headersTimeout: limits.timeoutMs,
    requestTimeout: limits.timeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
  };
  const server = createServer(options, async (request, response) => {
    const { method = "", url = "" } = request;
    const path = url.replace(/^https?:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, ""); // proxies may send the whole URL
    try {
      const answer = closed ? statusOnly(503) : await answerOf(request, method, path);
      if (closed) response.setHeader("connection", "close");
      send(response, answer);
    } catch (error) {
      report(`${method} ${path}`, error);
      send(response, statusOnly(500));
    }
  });
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.timeoutMs;
  const close = async () => {
    const cut = setTimeout(() => server.closeAllConnections(), limits.closeMs);
    await new Promise((resolve) => server.close(resolve)); // closes idle connections at once; an error says that it did not listen
    clearTimeout(cut);
    for (const group of groups) group.close?.();
  };
  return {
    server,
    close() {
      closed ??= close();
      return closed;
    },
  };
}

const statusOnly = (status: number, headers: AdminAnswer["headers"] = {}): AdminAnswer => ({
  status,
  headers,
  body: STATUS_CODES[status] ?? "",
});

function send(response: ServerResponse, { status = 200, type = "text/plain", headers, body }: AdminAnswer): void {
  const length = Buffer.byteLength(body);
  const own = { "cache-control": "no-store", "content-type": type, "content-length": length };
  response.writeHead(status, { ...own, ...headers }).end(body);
}

/** Whether a Content-Type is a media type: `text/plain; charset=utf-8`. */
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+[\t ]*(?:;|$)/;

/** Reads a body as UTF-8, of whatever media type; returns the answer to one that cannot be taken. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | AdminAnswer> {
  const { method, headers } = request;
  if (method === "GET" || method === "HEAD") return "";
  if (!mediaType.test(headers["content-type"] ?? "text/plain")) return statusOnly(415);
  // The rest of the body, which nobody reads, is no next request.
  const tooLarge = statusOnly(413, { connection: "close" });
  if (Number(headers["content-length"]) > maxBytes) return tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length;
      if (length > maxBytes) return tooLarge;
      chunks.push(chunk);
    }
  } catch {
    return statusOnly(400); // the client is gone or too slow, and its connection closed: nobody reads this answer
  }
  return Buffer.concat(chunks).toString();
}
