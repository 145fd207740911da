import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ConsulAnswer, ConsulClient } from "./client.ts";
import { describeNonsense } from "./consul-error.ts";

/** Why an agent may have forgotten what it knew. */
export interface Shaken {
  /** The query before this one failed. */
  readonly failed: boolean;
  /** Its index is lower than it was. */
  readonly wentBack: boolean;
}

/** Who is told what a blocking query learns. Called in order, and not after `run` has ended. */
export interface BlockingQueryHandler {
  /** A query begins; `isBlocking` when it waits for a change, else it asks for what there is. */
  onQuery(isBlocking: boolean): void;
  /** What there is, changed or not. What it cannot take it throws as a DiscoveryError, and then it counts as a failure. */
  onAnswer(answer: ConsulAnswer, shaken: Shaken): void;
  /** Something failed; the loop goes on by itself. */
  onFailure(error: DiscoveryError): void;
}

/** What to ask, and how patiently. */
export interface BlockingQueryOptions {
  readonly client: ConsulClient;
  /** Path and query, to which `index` and `wait` are added. */
  readonly path: string;
  /** As in `ConsulRequest`. */
  readonly what: string;
  /** As in `ConsulRequest`. */
  readonly needs: string;
  /** How long a query may wait for a change. */
  readonly waitMs: number;
  /** How much longer than that an answer may take. */
  readonly answerTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** After a long outage a client must be up to date within seconds, so the bound is low; full jitter spreads the herd. */
const backoffBounds = { baseMs: 200, maxMs: 4_000 };
/** Who is denied stays so until a person acts: a thousand clients without a right must not become a load. */
const deniedBackoffBounds = { baseMs: 1_000, maxMs: 30_000 };
/**
 * From the begin of one query to that of the next, half of it drawn by chance: a service that flaps costs at most some 13
 * queries a second, and the first change after a silence waits for nothing (hashicorp/consul#1244 #3890).
 */
const floorMs = 100;

/**
 * The index to wait behind next, by the rules of https://developer.hashicorp.com/consul/api-docs/features/blocking:
 * "Reset the index if it goes backwards", to 0, which asks for what there is; and "sanity check index is greater than zero",
 * as one that is 0 would never wait, while "it is always safe to use an index of 1".
 *
 * @param asked the index that was asked with
 * @param answered the one that came
 */
export function followIndex(asked: number, answered: number): number {
  const next = Math.max(answered, 1);
  return next < asked ? 0 : next;
}

/**
 * The loop of a blocking query: what there is, then each change. One request at a time. After a failure it asks for what
 * there is, not for a change, so that the end of an outage is known at once.
 */
export class BlockingQuery {
  readonly #options: BlockingQueryOptions;
  readonly #handler: BlockingQueryHandler;
  #index = 0;
  /** The last index that came, also when `#index` was reset since. */
  #seen = 0;

  constructor(options: BlockingQueryOptions, handler: BlockingQueryHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left of it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const backoff = createBackoff({ ...backoffBounds, random });
    const deniedBackoff = createBackoff({ ...deniedBackoffBounds, random });
    const sleep = (ms: number) => clock.sleep(ms, signal, { background: true });
    let failure: DiscoveryError | undefined;
    while (!signal.aborted) {
      const beganMs = clock.now();
      const hadFailed = failure !== undefined;
      try {
        await this.#turn(hadFailed, signal);
        failure = undefined;
      } catch (cause) {
        if (signal.aborted) return;
        failure = this.#asDiscoveryError(cause);
        this.#index = 0;
        this.#handler.onFailure(failure);
      }
      if (signal.aborted) return;
      if (failure) {
        const { next } = failure.code === "unavailable" ? backoff : deniedBackoff;
        await sleep(next() + (failure.retryAfterMs ?? 0));
      } else if (!hadFailed) {
        // Twice in a row: an agent that answers and then fails, again and again, is still one in trouble.
        backoff.reset();
        deniedBackoff.reset();
      }
      const leftMs = floorMs * (0.5 + random() / 2) - (clock.now() - beganMs);
      if (leftMs > 0) await sleep(leftMs);
    }
  }

  async #turn(failed: boolean, signal: AbortSignal): Promise<void> {
    const { client, what, needs } = this.#options;
    const asked = this.#index;
    this.#handler.onQuery(asked > 0);
    const answer = await client.request({ method: "GET", ...this.#waiting(asked), what, needs, signal });
    if (signal.aborted) return;
    const answered = Number(answer.headers["x-consul-index"] ?? Number.NaN);
    if (!Number.isInteger(answered) || answered < 0) {
      throw describeNonsense({ what, needs, agent: client.agent }, "the answer has no X-Consul-Index; is this Consul?");
    }
    const wentBack = answered < this.#seen;
    this.#handler.onAnswer(answer, { failed, wentBack });
    this.#seen = answered;
    this.#index = followIndex(asked, answered);
  }

  #waiting(index: number): { path: string; silenceMs: number } {
    const { path, waitMs, answerTimeoutMs } = this.#options;
    if (index === 0) return { path, silenceMs: answerTimeoutMs };
    // "A small random amount of additional wait time is added …, up to wait / 16".
    const silenceMs = waitMs + waitMs / 16 + answerTimeoutMs;
    return { path: `${path}${path.includes("?") ? "&" : "?"}index=${index}&wait=${waitMs}ms`, silenceMs };
  }

  #asDiscoveryError(cause: unknown): DiscoveryError {
    if (cause instanceof DiscoveryError) return cause;
    const { client, what, needs } = this.#options;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return describeNonsense({ what, needs, agent: client.agent }, reason, cause);
  }
}
