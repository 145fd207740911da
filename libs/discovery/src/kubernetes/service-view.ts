import { DiscoveryError } from "../core/discovery-error.ts";
import type { Latest } from "../core/latest.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { Service } from "./endpoint-slice.ts";
import { EndpointTable } from "./endpoint-table.ts";
import type { FeedView } from "./feed-views.ts";
import { describePort, describePorts, type PortSelector } from "./port.ts";
import type { ServiceFeed } from "./service-feed.ts";

/** The annotation by which a Service may bring its own gRPC service config. */
export const serviceConfigAnnotation = "grpc-lb.dev/service-config";

/** What one reader sees of a feed: the endpoints at one port, as snapshots that are published when they differ. */
export class ServiceView implements FeedView {
  readonly #feed: ServiceFeed;
  readonly #subject: string;
  readonly #port: PortSelector;
  readonly #table: EndpointTable;
  readonly #latest: Latest<Snapshot>;
  #hadPort = true;

  constructor(
    feed: ServiceFeed,
    options: { readonly subject: string; readonly port: PortSelector; readonly preferredFamily: "IPv4" | "IPv6" },
    latest: Latest<Snapshot>,
  ) {
    this.#feed = feed;
    this.#subject = options.subject;
    this.#port = options.port;
    this.#table = new EndpointTable(options.port, options.preferredFamily);
    this.#latest = latest;
  }

  onSlice(slice: Parameters<EndpointTable["setSlice"]>[0]): void {
    this.#table.setSlice(slice);
  }

  onSliceGone(name: string): void {
    this.#table.deleteSlice(name);
  }

  onService(service: Service | undefined): void {
    this.#table.setService(service);
  }

  /** A number may be the Service's, and then the Service maps it: one that is not mapped may be so by now. */
  get isPuzzled(): boolean {
    return this.#port.t === "number" && this.#table.lacksPort;
  }

  /** Whether there is no saying what the port is before the reading of the Service that is under way has ended. */
  get #awaitsService(): boolean {
    const { access, isDoubted } = this.#feed.reader;
    return this.isPuzzled && (access === undefined || isDoubted);
  }

  onSettled(): void {
    const feed = this.#feed;
    const isKnown = feed.isSynced && !this.#awaitsService;
    if (!isKnown && !feed.error) return; // and there is nothing to say yet, not even why
    const portError = isKnown ? this.#portError() : undefined;
    if (portError && this.#hadPort) feed.count(portError);
    this.#hadPort = portError === undefined;
    const next: Snapshot = {
      subject: this.#subject,
      endpoints: isKnown ? this.#table.endpoints : this.#latest.value?.endpoints,
      lastSyncMs: feed.lastSyncMs,
      error: feed.error ?? portError,
      serviceConfig: feed.reader.service?.metadata.annotations?.[serviceConfigAnnotation],
    };
    const before = this.#latest.value;
    if (!before || !isSame(before, next)) this.#latest.set(next);
  }

  #portError(): DiscoveryError | undefined {
    if (!this.#table.lacksPort) return undefined;
    const there = describePorts(this.#table.ports);
    const wanted = `${this.#subject} has no ${describePort(this.#port)}`;
    return new DiscoveryError(
      "portNotFound",
      `kubernetes: ${wanted}; its target ports are ${there}${this.#whyUnmapped()}`,
    );
  }

  #whyUnmapped(): string {
    const { service, access } = this.#feed.reader;
    if (this.#port.t !== "number" || service) return "";
    const why = access === "read" ? "does not exist" : "could not be read (services get)";
    return `; the Service, which maps its ports to these, ${why}`;
  }
}

/** Equal snapshots are not published twice; time passing is no news. The table replaces its list only when it changes. */
function isSame(a: Snapshot, b: Snapshot): boolean {
  return a.endpoints === b.endpoints && a.error?.message === b.error?.message && a.serviceConfig === b.serviceConfig;
}
