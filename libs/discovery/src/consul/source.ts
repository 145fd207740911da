import { checkOptions, maxDurationMs, type OptionRules } from "@grpc-lb/core";
import { defaultMissingGraceMs } from "../core/missing-instances.ts";
import type { Address } from "../core/snapshot.ts";
import { defineSourceIn, type Source, type SourceDefinitionIn } from "../core/source.ts";
import {
  type ConsulCredentials,
  type ConsulTenancy,
  escapeText,
  readConsulEnvironment,
  resolveTenancy,
  validateConsulAccess,
  withQuery,
} from "./access.ts";
import { ConsulClient } from "./client.ts";
import { HealthWatch } from "./health-watch.ts";
import { consulOptions } from "./options.ts";

/** Which service, of which agent, and how. */
export interface ConsulSourceOptions extends ConsulTenancy {
  /** The agent's HTTP address, or with `credentials.tls` its HTTPS address. */
  readonly agent: Address;
  readonly service: string;
  /** Instances must have all of them. Default: none. */
  readonly tags?: readonly string[];
  /** The node whose nearest instances come first, `_agent` for the agent's own; Consul's order is kept. Default: by id. */
  readonly near?: string | undefined;
  /** The datacenter. Default: the agent's. */
  readonly dc?: string | undefined;
  /**
   * How long one query waits for a change, in milliseconds, > 0 and at most 10 min. An agent that is frozen is noticed when
   * this, a sixteenth of it and `answerTimeoutMs` have passed. Default: 1 min.
   */
  readonly waitMs?: number | undefined;
  /** At most this many endpoints, the first ones in the order of the snapshot; >= 1. Default: all. */
  readonly limit?: number | undefined;
  /**
   * Whether only instances that pass all their checks count. With false the others count too: one with a warning by its
   * Weights.Warning; a critical one, or one in maintenance, is used only while there is no other. Default: true.
   */
  readonly healthy?: boolean;
  /** Whether a server that is not the leader may answer, which is faster and may be old. Default: false. */
  readonly allowStale?: boolean;
  /** Default: those of `readConsulEnvironment`. */
  readonly credentials?: ConsulCredentials;
  /**
   * How long an answer may take beyond the wait of its query, in milliseconds. Agents hold a request for 7 s while they search a
   * leader (rpc_hold_timeout), and their words are worth more than no answer. Default: 10 s.
   */
  readonly answerTimeoutMs?: number;
  /**
   * How long an instance is served that is missing when the agent answers after a failure, or when its index went back, in
   * milliseconds: instances that live register again. Default: 10 s.
   */
  readonly missingGraceMs?: number;
  /** As in `SourceDefinition`. Default: false. */
  readonly background?: boolean;
}

const optionRules: OptionRules = {
  ...consulOptions,
  ...{ service: "string", near: "string", dc: "string", waitMs: "number", limit: "number", healthy: "boolean" },
  ...{ allowStale: "boolean", answerTimeoutMs: "number", missingGraceMs: "number", background: "boolean" },
};

/**
 * Watches a service in Consul by blocking queries of its health. An endpoint's id is `node/service id`. A service that Consul does
 * not know has no endpoints. While the agent cannot be reached, or refuses, the last good endpoints stay, with the
 * error. An instance that cannot be used is left out, and the error names it.
 *
 * All sources of this function with the same agent, query and credentials share one query at a time in a process. Needed rights: `service:read` on
 * the service, `node:read` on the nodes of its instances.
 *
 * @throws RangeError for options that are not valid, TypeError for those of another type or name; it contains no secret
 */
export function createConsulSource(options: ConsulSourceOptions): Source {
  return defineSourceIn(defineConsulSource(options), {});
}

/** The definition of `createConsulSource`. */
export function defineConsulSource(options: ConsulSourceOptions): SourceDefinitionIn {
  checkOptions("createConsulSource", options, optionRules, ["agent", "service"]);
  const { service, tags = [], near, dc, limit, healthy = true, allowStale = false, background } = options;
  const { waitMs = 60_000, answerTimeoutMs = 10_000, missingGraceMs = defaultMissingGraceMs } = options;
  const credentials = options.credentials ?? readConsulEnvironment();
  const access = validateConsulAccess({ agent: options.agent, credentials });
  const { namespace, partition } = resolveTenancy(options);
  for (const [name, text] of Object.entries({ service, near, dc })) {
    if (text === "") throw new RangeError(`${name} must not be empty`);
  }
  if (tags.includes("")) throw new RangeError("tags must not be empty");
  // https://developer.hashicorp.com/consul/api-docs/features/blocking: "This is limited to 10 minutes"
  if (!(waitMs > 0 && waitMs <= 600_000)) throw new RangeError(`waitMs must be > 0 and <= 600000, got ${waitMs}`);
  if (!(answerTimeoutMs > 0 && answerTimeoutMs <= maxDurationMs / 2)) {
    throw new RangeError(`answerTimeoutMs must be > 0 and <= ${maxDurationMs / 2}, got ${answerTimeoutMs}`);
  }
  if (!(missingGraceMs >= 0 && missingGraceMs <= maxDurationMs)) {
    throw new RangeError(`missingGraceMs must be >= 0 and <= ${maxDurationMs}, got ${missingGraceMs}`);
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw new RangeError(`limit must be a whole number >= 1, got ${limit}`);
  }
  const path = withQuery(`/v1/health/service/${escapeText(service)}`, [
    ["passing", healthy || undefined],
    ...tags.map((tag) => ["tag", tag] as const),
    ["near", near],
    ["dc", dc],
    ["ns", namespace],
    ["partition", partition],
    ["stale", allowStale || undefined],
  ]);
  return {
    subject: `consul service ${service}`,
    key: `consul ${JSON.stringify([access, path, limit, waitMs, answerTimeoutMs, missingGraceMs])}`,
    background,
    async start(store, signal, { clock, random }) {
      const client = new ConsulClient(access, clock);
      const keepsOrder = near !== undefined;
      const query = { client, service, path, keepsOrder, limit, waitMs: Math.ceil(waitMs), answerTimeoutMs };
      try {
        await new HealthWatch({ ...query, missingGraceMs, clock, random }, store, signal).run();
      } finally {
        client.close();
      }
    },
  };
}
