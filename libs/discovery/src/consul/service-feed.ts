import type { Clock, Random } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import { LastGood, type Learned } from "../core/last-good.ts";
import type { Latest } from "../core/latest.ts";
import type { Endpoint, Snapshot } from "../core/snapshot.ts";
import { SourceCounts } from "../core/source-counts.ts";
import type { SourceStats } from "../core/source-stats.ts";
import type { ConsulAccess } from "./access.ts";
import { BlockingQuery, type BlockingQueryHandler, type Shaken } from "./blocking-query.ts";
import { type ConsulAnswer, ConsulClient } from "./client.ts";
import { describeHidden, describeMaybeHidden, describeNonsense } from "./consul-error.ts";
import { type HealthEntry, parseHealthEntries, toEndpoints } from "./health-entry.ts";

/** What a feed is about. */
export interface FeedOptions {
  readonly access: ConsulAccess;
  readonly service: string;
  readonly tags: readonly string[];
  readonly near: string | undefined;
  readonly dc: string | undefined;
  readonly healthy: boolean;
  readonly allowStale: boolean;
  readonly waitMs: number;
  readonly answerTimeoutMs: number;
  readonly doubtMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** The path and query that ask for the instances, but for index and wait. */
export function healthPath(options: Omit<FeedOptions, "access" | "waitMs" | "clock" | "random">): string {
  const { service, tags, near, dc, healthy, allowStale } = options;
  const query = [
    ...(healthy ? ["passing"] : []),
    ...tags.map((tag) => `tag=${encodeURIComponent(tag)}`),
    ...(near === undefined ? [] : [`near=${encodeURIComponent(near)}`]),
    ...(dc === undefined ? [] : [`dc=${encodeURIComponent(dc)}`]),
    ...(allowStale ? ["stale"] : []),
  ];
  return `/v1/health/service/${encodeURIComponent(service)}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

/** One query of a service, whose answers are turned into snapshots. */
export class ServiceFeed implements BlockingQueryHandler {
  readonly subject: string;
  readonly #options: FeedOptions;
  readonly #counts: SourceCounts;
  readonly #asked: { readonly what: string; readonly needs: string; readonly agent: string };
  #lastGood: LastGood | undefined;
  #signal: AbortSignal | undefined;
  #client: ConsulClient | undefined;
  /** What the last good answer said. */
  #answered: Pick<Learned, "endpoints" | "error"> = { endpoints: [] };
  /** What it should have said and did not; still served, until when. */
  #doubt: { readonly missing: readonly Endpoint[]; readonly dueMs: number } | undefined;
  #isFailing = false;

  constructor(options: FeedOptions) {
    const { service, clock, access } = options;
    this.#options = options;
    this.#counts = new SourceCounts(clock);
    this.subject = `consul service ${service}`;
    const needs = `service:read on "${service}" and node:read on the nodes of its instances`;
    this.#asked = { what: `read service ${service}`, needs, agent: formatAddress(access.agent) };
  }

  get stats(): SourceStats {
    return this.#counts.stats;
  }

  /** Watches until `signal` is aborted, and knows nothing of what another watch of it has seen. */
  async run(latest: Latest<Snapshot>, signal: AbortSignal): Promise<void> {
    const { access, clock, random, waitMs, answerTimeoutMs } = this.#options;
    this.#lastGood = new LastGood(this.subject, latest);
    this.#signal = signal;
    this.#answered = { endpoints: [] };
    this.#doubt = undefined;
    this.#isFailing = false;
    const client = new ConsulClient(access, clock);
    this.#client = client;
    const path = healthPath(this.#options);
    try {
      const asked = { client, path, what: this.#asked.what, needs: this.#asked.needs };
      await new BlockingQuery({ ...asked, waitMs, answerTimeoutMs, clock, random }, this).run(signal);
    } finally {
      client.close();
    }
  }

  onQuery(isBlocking: boolean): void {
    if (isBlocking) this.#counts.watches += 1;
    else this.#counts.lists += 1;
  }

  onFailure(error: DiscoveryError): void {
    this.#counts.failed(error);
    this.#isFailing = true;
    this.#lastGood?.fail(error);
  }

  onAnswer(answer: ConsulAnswer, shaken: Shaken): void {
    const entries = this.#parse(answer.text);
    if (entries.length === 0 && answer.headers["x-consul-results-filtered-by-acls"] === "true") {
      this.#client?.distrustCredentials();
      throw describeHidden(this.#asked);
    }
    const endpoints = toEndpoints(entries);
    // In the order of the ids, unless Consul has put the nearest first.
    if (this.#options.near === undefined) endpoints.sort((a, b) => (a.id < b.id ? -1 : 1));
    const error = this.#explainNone(answer, entries, endpoints);
    if (error && error.message !== this.#answered.error?.message) this.#counts.failed(error);
    this.#counts.heard();
    this.#isFailing = false;
    this.#answered = { endpoints, error };
    this.#doubtMissing(shaken);
    this.#publish();
  }

  #parse(text: string): readonly HealthEntry[] {
    try {
      return parseHealthEntries(text);
    } catch (cause) {
      throw describeNonsense(this.#asked, `the answer cannot be read: ${(cause as Error).message}`, cause);
    }
  }

  /** Why there are no endpoints, where more is known than that there are no instances. */
  #explainNone(answer: ConsulAnswer, entries: readonly HealthEntry[], endpoints: readonly Endpoint[]) {
    if (endpoints.length > 0) return undefined;
    if (entries.length > 0) {
      const { what, agent } = this.#asked;
      return new DiscoveryError(
        "portNotFound",
        `consul: ${what}: ${agent}: none of its ${entries.length} instances has a host and a port`,
      );
    }
    const deniesByDefault = answer.headers["x-consul-default-acl-policy"] === "deny";
    return deniesByDefault && !answer.hasToken ? describeMaybeHidden(this.#asked) : undefined;
  }

  /**
   * An agent that comes back may have forgotten what is still there and registers again within moments, so what it does not
   * tell is served a while longer: when its index went backwards, and after a failure. Not only when much is gone: others may
   * have registered again before it was asked. Each such answer begins the doubt anew, and no other one does.
   */
  #doubtMissing({ failed, wentBack }: Shaken): void {
    const { clock, doubtMs } = this.#options;
    const now = new Set(this.#answered.endpoints.map(keyOf));
    const had = this.#lastGood?.endpoints ?? [];
    const isSuspicious = wentBack || failed;
    const missing = (isSuspicious ? had : (this.#doubt?.missing ?? [])).filter((each) => !now.has(keyOf(each)));
    if (missing.length === 0) {
      this.#doubt = undefined;
      return;
    }
    const before = isSuspicious ? undefined : this.#doubt;
    this.#doubt = { missing, dueMs: before?.dueMs ?? clock.now() + doubtMs };
    if (!before) void this.#endDoubt(this.#doubt.dueMs);
  }

  async #endDoubt(dueMs: number): Promise<void> {
    const { clock } = this.#options;
    const signal = this.#signal as AbortSignal;
    await clock.sleep(dueMs - clock.now(), signal, { background: true });
    if (signal.aborted || this.#doubt?.dueMs !== dueMs) return;
    this.#doubt = undefined;
    // While the agent is away nothing is known: then its next answer begins another doubt.
    if (!this.#isFailing) this.#publish();
  }

  #publish(): void {
    const { endpoints, error } = this.#answered;
    const all = [...endpoints, ...(this.#doubt?.missing ?? [])];
    if (this.#doubt && this.#options.near === undefined) all.sort((a, b) => (a.id < b.id ? -1 : 1));
    const atMs = this.#options.clock.now();
    this.#lastGood?.set({ endpoints: all, atMs, error: this.#doubt ? undefined : error });
  }
}

/** One address is one endpoint, under whatever id it registers again. */
function keyOf({ addresses: [address] }: Endpoint): string {
  return address ? formatAddress(address) : "";
}
