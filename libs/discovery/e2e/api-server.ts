import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { ApiAccess } from "../src/kubernetes/api-client.ts";
import { createKubeconfigAccess, createKubernetesSource } from "../src/kubernetes/index.ts";
import { type SourceWorld, service, type World } from "../testing/index.ts";
import { SliceWriter } from "../testing/kubernetes/world.ts";
import { ObjectWriter } from "./object-writer.ts";
import { Relay } from "./relay.ts";

const run = promisify(execFile);
const kubectl = async (...args: string[]) => (await run("kubectl", args, { timeout: 60_000 })).stdout.trim();
/** A name that every API server's certificate has, whatever address it is reached by. */
const servername = "kubernetes.default.svc";
/** Bookmarks come about once a minute, which is too long to wait for; so a watch that is quiet for as long is begun anew. */
const idleDeadlineMs = 4_000;

/** Why there is no API server to test with; undefined when there is one. */
export async function whyNoApiServer(): Promise<string | undefined> {
  return kubectl("config", "current-context").then(
    () => undefined,
    () => "kubectl has no current context",
  );
}

/**
 * A namespace of its own on the API server of kubectl's current context. What ends or freezes is a relay on the way to it, as
 * the server is also others'.
 */
export class ApiServer {
  readonly #namespace = `grpc-lb-discovery-${randomBytes(3).toString("hex")}`;
  readonly #direct: ApiAccess;
  readonly #writer: ObjectWriter;

  private constructor(direct: ApiAccess) {
    this.#direct = direct;
    this.#writer = new ObjectWriter(direct, this.#namespace);
  }

  static async open(): Promise<ApiServer> {
    const server = new ApiServer(await createKubeconfigAccess());
    await kubectl("create", "namespace", server.#namespace);
    return server;
  }

  async close(): Promise<void> {
    this.#writer.close();
    await kubectl("delete", "namespace", this.#namespace, "--wait=false");
  }

  /** Runs what the fake shall do, too, by a relay of its own. */
  async on(run: (world: World) => Promise<void>): Promise<void> {
    await this.#onRelay((relay) => run(this.#createWorld(relay)));
  }

  /** Runs what every source shall do, by a relay of its own, with a Service of this name. */
  async onAsSource(name: string, run: (world: SourceWorld) => Promise<void>): Promise<void> {
    await this.#writer.apply(service({ name, namespace: this.#namespace }));
    await this.#onRelay((relay) => run(this.#createSourceWorld(relay)));
  }

  async #onRelay(run: (relay: Relay) => Promise<void>): Promise<void> {
    const { hostname, port } = this.#direct.server;
    const relay = await Relay.start(hostname.replace(/^\[|\]$/g, ""), Number(port || 443));
    try {
      await run(relay);
    } finally {
      await relay.close();
    }
  }

  /** The API server as it is reached by a relay; with a bearer token, in place of the kubeconfig's user. */
  #through(relay: Relay, token?: () => string | undefined): ApiAccess {
    return {
      server: new URL(`https://127.0.0.1:${relay.port}`),
      namespace: this.#namespace,
      credentials: async (afterDenial) => {
        const { headers, tls } = await this.#direct.credentials(afterDenial);
        const bearer = token?.();
        if (bearer === undefined) return { headers, tls: { ...tls, servername } };
        return { headers: { authorization: `Bearer ${bearer}` }, tls: { ...(tls.ca && { ca: tls.ca }), servername } };
      },
    };
  }

  #createWorld(relay: Relay): World {
    const namespace = this.#namespace;
    return {
      access: this.#through(relay),
      namespace,
      put: (...objects) => this.#writer.apply(...objects),
      deleteSlice: (name) => this.#writer.delete("EndpointSlice", name),
      deleteService: (name) => this.#writer.delete("Service", name),
      breakWatches: async () => relay.breakConnections(),
      stranger: async () => {
        await kubectl("create", "serviceaccount", "stranger", "-n", namespace);
        const token = await kubectl("create", "token", "stranger", "-n", namespace);
        const access = this.#through(relay, () => token);
        return { access, user: `system:serviceaccount:${namespace}:stranger` };
      },
    };
  }

  #createSourceWorld(relay: Relay): SourceWorld {
    const namespace = this.#namespace;
    const slices = new SliceWriter(namespace, (slice) => this.#writer.apply(slice));
    const ours = this.#through(relay);
    const createSource = (service: string, access = ours) =>
      createKubernetesSource({ service, access, namespace, idleDeadlineMs });
    return {
      createSource: (service) => createSource(service),
      put: (service, instance) => slices.put(service, instance),
      remove: (service, address) => slices.remove(service, address),
      hasWeights: false,
      outage: { stop: () => relay.stop(), start: () => relay.start() },
      freeze: { begin: async () => relay.freeze(), end: async () => relay.thaw() },
      stranger: async (service) => {
        let token: string | undefined = "nonsense";
        const access = this.#through(relay, () => token);
        const admit = async () => {
          token = undefined;
        };
        return { source: createSource(service, access), admit };
      },
      untilLeft: () => relay.untilLeft(),
    };
  }
}
