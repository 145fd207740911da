import { type FakeRequest, type FakeStatus, forbidden, statusOf, type Verb } from "./fake-request.ts";

/** The response to a refused request. */
export interface Refusal {
  readonly status: FakeStatus;
  readonly retryAfterSeconds?: number | undefined;
}

/** Which requests are refused, and with what. */
export interface RefuseOptions {
  /** How many requests are refused. Default: all until `accept`. */
  readonly times?: number;
  readonly retryAfterSeconds?: number;
  readonly message?: string;
  /** Only these verbs. */
  readonly verbs?: readonly Verb[];
}

/** The faults of a fake API server. */
export class FakeFaults {
  /** The only accepted bearer token; undefined accepts all requests. */
  token: string | undefined;
  #refusing: { code: number; left: number; options: RefuseOptions } | undefined;
  readonly #forbidden = new Set<string>();
  #user = "system:serviceaccount:default:default";

  refuse(code: number, options: RefuseOptions): void {
    this.#refusing = { code, left: options.times ?? Number.POSITIVE_INFINITY, options };
  }

  accept(): void {
    this.#refusing = undefined;
    this.#forbidden.clear();
  }

  /** Forbids a verb on a resource. */
  forbid(verb: Verb, resource: FakeRequest["resource"], user = this.#user): void {
    this.#user = user;
    this.#forbidden.add(`${verb} ${resource}`);
  }

  /** Returns the refusal of a request and counts it; undefined if the request is served. */
  refusalFor(request: FakeRequest): Refusal | undefined {
    const refusing = this.#refusing;
    if (refusing && refusing.left > 0 && (refusing.options.verbs?.includes(request.verb) ?? true)) {
      refusing.left -= 1;
      const { retryAfterSeconds, message = "the fake refuses" } = refusing.options;
      return { status: statusOf(refusing.code, message), retryAfterSeconds };
    }
    if (this.token !== undefined && request.authorization !== `Bearer ${this.token}`) {
      return { status: statusOf(401, "Unauthorized") };
    }
    if (!this.#forbidden.has(`${request.verb} ${request.resource}`)) return undefined;
    return { status: forbidden(request, this.#user) };
  }
}
