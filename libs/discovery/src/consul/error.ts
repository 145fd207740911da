import type { IncomingHttpHeaders } from "node:http";
import { messageOf } from "@grpc-lb/core";
import { readRetryAfter } from "@grpc-lb/core/http";
import { DiscoveryError, type DiscoveryErrorCode, printable } from "../core/discovery-error.ts";

/** What is requested of which agent, for the message of a failure. */
export interface Exchange {
  /** The operation and its object: `read service web`. */
  readonly what: string;
  /** The rights that the token needs for it: `service:read on "web"`. */
  readonly needs: string;
  /** `host:port`. */
  readonly agent: string;
  /** What the message must not repeat, in case the agent does. Default: nothing. */
  readonly secrets?: readonly string[];
}

/** An answer other than 200. Consul's own words are plain text. */
export interface Refusal {
  readonly status: number;
  readonly phrase: string;
  readonly headers: IncomingHttpHeaders;
  /** The beginning of the body. */
  readonly text: string;
  readonly hasToken: boolean;
}

/** A server's text is cut here, in characters. */
const maxWords = 500;

/** The agent answers with a status other than 200. */
export function describeRefusal(
  exchange: Exchange,
  { status, phrase, headers, text, hasToken }: Refusal,
): DiscoveryError {
  const isDenied = status === 401 || status === 403;
  const words = [`${status} ${phrase}`, text.replace(/\s+/g, " ")]
    .map((each) => each.trim())
    .filter((each) => each !== "");
  const code = isDenied ? "permissionDenied" : status === 400 ? "invalid" : "unavailable";
  return describe(code, exchange, words.join(": "), {
    status,
    retryAfterMs: readRetryAfter(headers["retry-after"]),
    ...(isDenied && { advice: adviseRights(exchange, hasToken) }),
  });
}

/** The agent cannot be reached, the connection breaks, nothing comes in time, or the answer is not one of Consul. */
export function describeUnavailable(exchange: Exchange, cause: unknown): DiscoveryError {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return describe("unavailable", exchange, parts.map(messageOf).join("; "), { cause });
}

/**
 * Consul answers with what the token may see, so a service whose instances are hidden looks empty; a header says so
 * (https://developer.hashicorp.com/consul/api-docs/api-structure#results-filtered-by-acls).
 */
export function describeHidden(exchange: Exchange): DiscoveryError {
  return describe("permissionDenied", exchange, "the token may not see the instances", {
    advice: adviseRights(exchange, true),
  });
}

/** Without a token that header is missing; another one says that ACLs deny what is not granted. */
export function describeMaybeHidden(exchange: Exchange): DiscoveryError {
  const words = "no instances are visible, and there may be some: ACLs deny by default";
  return describe("permissionDenied", exchange, words, { advice: adviseRights(exchange, false) });
}

/**
 * Creates an error of an exchange; its message has one line and no secret.
 *
 * @param words may repeat what the agent sent
 * @param options.advice own words, behind them
 */
export function describe(
  code: DiscoveryErrorCode,
  { what, agent, secrets }: Exchange,
  words: string,
  { advice, ...options }: ConstructorParameters<typeof DiscoveryError>[2] & { readonly advice?: string } = {},
): DiscoveryError {
  const hidden = hideSecrets(words, secrets);
  const reason = printable(hidden, maxWords);
  const message = `consul: ${printable(what, maxWords)}: ${agent}: ${reason}`;
  return new DiscoveryError(
    code,
    advice === undefined ? message : `${message}; ${printable(advice, maxWords)}`,
    hidden === words ? options : { ...options, cause: undefined }, // the cause repeats the words
  );
}

function adviseRights({ needs }: Exchange, hasToken: boolean): string {
  return hasToken ? `the token needs ${needs}` : `no token is given; one is needed with ${needs}`;
}

/** Leaves out secrets, in whatever case and with or without the escapes of URLs, JSON and HTTP basic authentication. */
function hideSecrets(text: string, secrets: readonly string[] = []): string {
  const spellings = secrets
    .filter((secret) => secret !== "")
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret.toWellFormed()),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString("base64"),
    ])
    .sort((a, b) => b.length - a.length); // one that contains another first
  if (spellings.length === 0) return text;
  return text.replace(new RegExp(spellings.map(escapePattern).join("|"), "gi"), "…");
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
