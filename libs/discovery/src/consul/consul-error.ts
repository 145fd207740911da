import type { IncomingHttpHeaders } from "node:http";
import { DiscoveryError } from "../core/discovery-error.ts";

/** What was asked, for the words of its failure. */
export interface Asked {
  /** The verb and what it is done to: `read service web`. */
  readonly what: string;
  /** The rights that the token needs for it: `service:read on "web"`. */
  readonly needs: string;
  /** `host:port`. */
  readonly agent: string;
  readonly token: string | undefined;
}

/** An answer that is not 200. Consul's own words, which are plain text, say the most. */
export function describeRefusal(
  asked: Asked,
  answer: {
    readonly status: number;
    readonly phrase: string;
    readonly headers: IncomingHttpHeaders;
    readonly text: string;
  },
): DiscoveryError {
  const { status, phrase } = answer;
  const isDenied = status === 401 || status === 403;
  const said = hide(answer.text.slice(0, 500).replace(/\s+/g, " ").trim(), asked.token);
  const words = [`${status} ${phrase}`.trim(), said].filter((word) => word !== "").join(": ");
  const advice = isDenied ? `; ${adviseRights(asked)}` : "";
  const retryAfterMs = readRetryAfter(answer.headers["retry-after"]);
  const message = `consul: ${asked.what}: ${asked.agent}: ${words}${advice}`;
  return new DiscoveryError(isDenied ? "permissionDenied" : "unavailable", message, { status, retryAfterMs });
}

/** The agent could not be reached, the connection broke, or nothing came. */
export function describeSilence(asked: Asked, cause: unknown): DiscoveryError {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const reason = parts.map((part) => (part instanceof Error ? part.message || part.name : String(part))).join("; ");
  return new DiscoveryError("unavailable", `consul: ${asked.what}: ${asked.agent}: ${reason}`, { cause });
}

/** The agent answers, and not as Consul does. */
export function describeNonsense(asked: Omit<Asked, "token">, why: string, cause?: unknown): DiscoveryError {
  return new DiscoveryError("unavailable", `consul: ${asked.what}: ${asked.agent}: ${why}`, { cause });
}

/**
 * Consul answers with what the token may see, so what is hidden looks like an empty service; that it is hidden stands in a
 * header (https://developer.hashicorp.com/consul/api-docs/api-structure#results-filtered-by-acls).
 */
export function describeHidden(asked: Omit<Asked, "token">): DiscoveryError {
  const words = `the token may not see the instances; ${adviseRights({ ...asked, token: "one" })}`;
  return new DiscoveryError("permissionDenied", `consul: ${asked.what}: ${asked.agent}: ${words}`);
}

/** Without a token Consul does not even say that something is hidden; it does say that nothing is allowed unless granted. */
export function describeMaybeHidden(asked: Omit<Asked, "token">): DiscoveryError {
  const words = `no instances are seen, and there may be some: ACLs deny by default; ${adviseRights({ ...asked, token: undefined })}`;
  return new DiscoveryError("permissionDenied", `consul: ${asked.what}: ${asked.agent}: ${words}`);
}

function adviseRights({ needs, token }: Pick<Asked, "needs" | "token">): string {
  return token === undefined ? `no token is given, and it needs one with ${needs}` : `the token needs ${needs}`;
}

/** Consul repeats no token today. */
function hide(text: string, token: string | undefined): string {
  return token ? text.replaceAll(token, "…") : text;
}

/** Seconds or a date (RFC 9110, 10.2.3), as milliseconds from now. */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 60_000);
}
