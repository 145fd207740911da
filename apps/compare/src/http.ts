import type { AddressInfo } from "node:net";
import { type FastifyRequest, fastify } from "fastify";
import type { PageAction } from "../page/protocol.ts";
import { type EventStream, maxWatchers } from "./event-stream.ts";
import type { Asset } from "./page-assets.ts";

/** The server of the page. */
export interface PageServer {
  readonly port: number;
  /** Ends the streams; resolves when every connection is closed. */
  close(): Promise<void>;
}

/** What is served. */
export interface PageServerOptions {
  readonly host: string;
  readonly port: number;
  readonly assets: readonly Asset[];
  readonly stream: EventStream;
  /** The events that a page gets first. */
  first(): readonly string[];
  actions(): readonly PageAction[];
  act(name: string): void;
}

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** The names under which a person reaches the page, also through `kubectl port-forward`. */
const ownHost = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i;

/**
 * Serves the page, its events at `/events`, and takes actions at `POST /actions/<name>`. Requests that name another host are
 * refused, so that a website cannot read or act through a name of its own that points here; actions are taken from the page alone.
 *
 * @throws Error when the address cannot be listened on
 */
export async function servePage(options: PageServerOptions): Promise<PageServer> {
  const { assets, stream } = options;
  const app = fastify({ bodyLimit: 1_024, forceCloseConnections: true, requestTimeout: 10_000 });
  app.server.maxConnections = 100;
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(headers);
    const isOwn = ownHost.test(request.headers.host ?? "");
    if (!isOwn) await reply.code(403).send("this page is served to loopback names only\n");
  });
  for (const { path, type, body, gzipped, etag } of assets) {
    app.get(path, (request, reply) => {
      reply.headers({ "content-type": type, "cache-control": "no-cache", etag, vary: "accept-encoding" });
      if (request.headers["if-none-match"] === etag) return reply.code(304).send();
      const canGzip = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
      return canGzip ? reply.header("content-encoding", "gzip").send(gzipped) : reply.send(body);
    });
  }
  app.get("/events", (request, reply) => {
    // An answer without a body ends; it must not take the place of a page.
    if (request.method === "HEAD") return reply.type("text/event-stream").send();
    if (stream.watchers >= maxWatchers) return reply.code(503).send(`${maxWatchers} pages watch already\n`);
    reply.hijack();
    stream.add(reply.raw, headers, options.first());
    return reply;
  });
  app.post<{ Params: { name: string } }>("/actions/:name", (request, reply) => {
    if (!isFromPage(request)) return reply.code(403).send("actions are taken from the page only\n");
    const { name } = request.params;
    if (!options.actions().some((action) => action.name === name)) return reply.code(404).send("no such action\n");
    options.act(name);
    return reply.code(202).send();
  });
  await app.listen({ host: options.host, port: options.port });
  return {
    port: (app.server.address() as AddressInfo).port,
    async close() {
      stream.close();
      await app.close();
    },
  };
}

/** A browser sends the origin of the page with each POST. */
function isFromPage({ headers: { origin, host } }: FastifyRequest): boolean {
  return origin !== undefined && origin === `http://${host}`;
}
