import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { ApiAccess } from "../src/kubernetes/api-client.ts";
import type { StoredService, StoredSlice } from "../testing/kubernetes/slices.ts";

const groups = { EndpointSlice: "/apis/discovery.k8s.io/v1", Service: "/api/v1" } as const;
const plurals = { EndpointSlice: "endpointslices", Service: "services" } as const;
type Kind = keyof typeof groups;

/**
 * Writes objects as `kubectl apply --server-side` does. A test writes a hundred of them, and a process for each would take
 * longer than all the rest.
 */
export class ObjectWriter {
  readonly #access: ApiAccess;
  readonly #namespace: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  constructor(access: ApiAccess, namespace: string) {
    this.#access = access;
    this.#namespace = namespace;
  }

  /** Writes them all, whether they exist or not. */
  async apply(...objects: readonly (StoredSlice | StoredService)[]): Promise<void> {
    await Promise.all(
      objects.map((object) => {
        const path = `${this.#path(object.kind, object.metadata.name)}?fieldManager=grpc-lb-e2e&force=true`;
        return this.#send("PATCH", path, object);
      }),
    );
  }

  async delete(kind: Kind, name: string): Promise<void> {
    await this.#send("DELETE", this.#path(kind, name));
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }

  #path(kind: Kind, name: string): string {
    return `${groups[kind]}/namespaces/${this.#namespace}/${plurals[kind]}/${name}`;
  }

  async #send(method: string, path: string, body?: object): Promise<void> {
    const { server } = this.#access;
    const { headers, tls } = await this.#access.credentials(false);
    const sent = request(new URL(path, server), {
      ...tls,
      method,
      agent: this.#agent,
      headers: { ...headers, "content-type": "application/apply-patch+yaml" },
    });
    sent.end(body && JSON.stringify(body));
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    if ((response.statusCode ?? 0) >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
  }
}
