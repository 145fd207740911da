import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { ApiAccess } from "@grpc-lb/discovery/kubernetes";

/** A change that a test was asked for: `PATCH /apis/…`, with its body. */
export interface FakeChange {
  readonly what: string;
  readonly type: string;
  readonly body: unknown;
}

/**
 * The part of the API server that the page reads and changes, on a port of 127.0.0.1: pods, an EndpointSlice, logs that are
 * followed, patches and deletions, which it only records.
 */
export class FakeApiServer {
  /** The pods of a list; `send` tells a watch of a change. */
  pods: readonly object[] = [];
  slices: readonly object[] = [];
  /** Requests that are answered with 403, by the resource that ends their path. */
  readonly forbidden = new Set<string>();
  readonly changes: FakeChange[] = [];
  /** The queries of the logs that were requested, by pod. */
  readonly logRequests: string[] = [];
  readonly #logs = new Map<string, ServerResponse>();
  readonly #watches = new Map<string, ServerResponse>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(): Promise<FakeApiServer> {
    const api = new FakeApiServer();
    await once(api.#server.listen(0, "127.0.0.1"), "listening");
    return api;
  }

  get access(): ApiAccess {
    const { port } = this.#server.address() as AddressInfo;
    const credentials = async () => ({ headers: {}, tls: {} });
    return { server: new URL(`http://127.0.0.1:${port}`), namespace: "demo", credentials };
  }

  /** Sends an event to the watch of the pods. */
  send(type: string, object: object): void {
    this.#watches.get("pods")?.write(`${JSON.stringify({ type, object })}\n`);
  }

  /** Whether the log of a pod is being followed. */
  isFollowed(pod: string): boolean {
    return this.#logs.has(pod);
  }

  /** Writes to the log of a pod, which is being followed. */
  log(pod: string, line: string): void {
    this.#logs.get(pod)?.write(`${line}\n`);
  }

  /** Ends the log of a pod. */
  endLog(pod: string): void {
    this.#logs.get(pod)?.end();
    this.#logs.delete(pod);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://fake");
    const resource = pathname.slice(pathname.lastIndexOf("/") + 1);
    const reply = (object: object, code = 200) =>
      void response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(object));
    if (this.forbidden.has(resource)) return reply({ kind: "Status", code: 403, message: "no right" }, 403);
    if (request.method !== "GET") {
      const body = await text(request);
      const type = request.headers["content-type"] ?? "";
      this.changes.push({ what: `${request.method} ${pathname}`, type, body: body === "" ? null : JSON.parse(body) });
      return reply({});
    }
    if (resource === "scale") return reply({ metadata: { resourceVersion: "7" }, spec: { replicas: 3 } });
    if (resource === "log") {
      const pod = pathname.split("/").at(-2) ?? "";
      searchParams.delete("container");
      this.logRequests.push(`${pod} ${searchParams}`);
      response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
      this.#logs.set(pod, response);
      return;
    }
    if (searchParams.get("watch") === "true") {
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      this.#watches.set(resource, response);
      return;
    }
    const metadata = { resourceVersion: "1" };
    if (resource === "pods") return reply({ kind: "PodList", apiVersion: "v1", metadata, items: this.pods });
    if (resource !== "endpointslices") return reply({ kind: "Status", code: 404, message: "not found" }, 404);
    reply({ kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1", metadata, items: this.slices });
  }
}
