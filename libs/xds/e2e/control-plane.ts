import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type Resource, SnapshotCache } from "../src/cache/index.ts";
import {
  type AdsRejection,
  type AdsServer,
  type ClusterLoadReport,
  createAdsServer,
  createLoadServer,
  serverOptions,
} from "../src/server/index.ts";

/** A control plane on a port that stays the same when it starts again. */
export class ControlPlane {
  readonly rejections: AdsRejection[] = [];
  readonly reports: ClusterLoadReport[] = [];
  port = 0;
  #cache = new SnapshotCache();
  #server: Server | undefined;
  #ads: AdsServer | undefined;

  /** Starts with a cache of its own, as after a crash. */
  async start(resources: readonly Resource[]): Promise<void> {
    this.#cache = new SnapshotCache();
    this.set(resources);
    this.#ads = createAdsServer({ cache: this.#cache, onRejected: (rejection) => this.rejections.push(rejection) });
    const server = new Server(serverOptions);
    this.#ads.addTo(server);
    createLoadServer({ intervalMs: 1_000, onReport: (report) => this.reports.push(report) }).addTo(server);
    this.port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    this.#server = server;
  }

  /** @throws Error when they are not consistent */
  set(resources: readonly Resource[]): void {
    const result = this.#cache.setSnapshot("", resources);
    if ("error" in result) throw new Error(result.error);
  }

  readonly clients = () => [...(this.#ads?.clientStatuses() ?? [])];

  /** Ends it as a crash does. */
  stop(): void {
    this.#server?.forceShutdown();
  }
}
