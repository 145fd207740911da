import {
  type Clock,
  type Context,
  checkOptions,
  completeContext,
  createBackoff,
  type OptionRules,
  type Random,
} from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import { type DiscoveryError, printable } from "../core/discovery-error.ts";
import type { Instance, Registration, RegistrationHooks, RegistrationStats } from "../core/registration.ts";
import { hookOptions, instanceRule } from "../core/registration-options.ts";
import type { Address } from "../core/snapshot.ts";
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
import { describe } from "./error.ts";
import { consulOptions } from "./options.ts";
import { type ConsulCheck, defineService, type ServiceDefinition } from "./service-definition.ts";

/** What to register, with which agent, and how. */
export interface ConsulRegistrationOptions extends RegistrationHooks, ConsulTenancy {
  /** The agent of this machine, or a server: its HTTP address, or with `credentials.tls` its HTTPS address. */
  readonly agent: Address;
  /** Default: those of `readConsulEnvironment`. */
  readonly credentials?: ConsulCredentials;
  /** `ttlMs` is at least 1 s. For the limits of `metadata` see `defineService`. */
  readonly instance: Instance;
  /** Default: none. */
  readonly tags?: readonly string[];
  /** Default: `{ t: "ttl" }`. */
  readonly check?: ConsulCheck;
  /**
   * How long an instance may be critical before Consul removes it, in milliseconds; at least 1 min, which is Consul's own
   * minimum, and it checks every 30 s. Sources leave it out as soon as it is critical. Default: 1 min.
   */
  readonly deregisterCriticalAfterMs?: number;
}

const optionRules: OptionRules = {
  ...consulOptions,
  ...hookOptions,
  instance: instanceRule,
  check: {
    options: { t: "string", intervalMs: "number", timeoutMs: "number", service: "string", tls: "boolean" },
    required: ["t"],
  },
  deregisterCriticalAfterMs: "number",
};

/** A failed request is repeated soon, so that a restart of the agent costs less than the TTL. */
const backoffBounds = { baseMs: 100, maxMs: 2_000 };
/** However long the TTL: an instance returns to an agent that came back empty long before `defaultMissingGraceMs`. */
const maxRefreshMs = 2_000;
/** The longest time for one request; two fit into a TTL. */
const maxRequestMs = 5_000;
/** An answer is shorter, in characters: the longest is a service with all its metadata. */
const maxAnswerLength = 1024 * 1024;
/** `close` lasts until the TTL is over, within these bounds. */
const closeMs = { min: 1_000, max: 5_000 };

/**
 * Registers an instance with a Consul agent and keeps it there: a TTL check is refreshed after a third of the TTL, and after 2 s at
 * most; with a gRPC check, which the agent makes, the registration asks the agent as often whether it still has the instance. If it
 * does not, the instance is registered again. Needed right: `service:write` on the service; for a gRPC check also `service:read`.
 *
 * A request ends after a third of the TTL, and after 5 s at most, whatever the agent does: with the pause that follows, the next
 * one comes before the TTL is over.
 *
 * A registration does not keep the process alive, except during `close`.
 *
 * @throws RangeError for what Consul cannot hold, TypeError for options of another type or name; an agent that cannot be reached is reported by `onError`
 */
export function registerInConsul(options: ConsulRegistrationOptions): Registration {
  return registerInConsulIn(options, {});
}

/** The same in any context. */
export function registerInConsulIn(options: ConsulRegistrationOptions, context: Context): Registration {
  checkOptions("registerInConsul", options, optionRules, ["agent", "instance"]);
  const { clock, random } = completeContext(context);
  const { instance } = options;
  const credentials = options.credentials ?? readConsulEnvironment();
  const access = validateConsulAccess({ agent: options.agent, credentials });
  const tenancy = resolveTenancy(options);
  const definition = defineService(instance, options);
  const client = new ConsulClient(access, clock);
  const ttlMs = instance.ttlMs ?? 10_000;
  return new ConsulRegistration({ client, definition, tenancy, ttlMs, clock, random, hooks: options });
}

interface ConsulRegistrationParts {
  readonly client: ConsulClient;
  readonly definition: ServiceDefinition;
  readonly tenancy: ConsulTenancy;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly hooks: RegistrationHooks;
}

class ConsulRegistration implements Registration {
  readonly subject: string;
  readonly #parts: ConsulRegistrationParts;
  readonly #registered = Promise.withResolvers<void>();
  readonly #ending = new AbortController();
  readonly #ended: Promise<void>;
  #closed: Promise<void> | undefined;
  /** Whether the agent has it, as far as is known. */
  #isKnown = false;
  /** Until when the agent may list it as passing; undefined: it cannot have it. */
  #listedUntilMs: number | undefined;
  #registrations = 0;
  /** Whether the hooks know that it is registered. */
  #isReported = false;
  #error: DiscoveryError | undefined;
  /** When the agent last confirmed it. */
  #confirmedMs = 0;

  constructor(parts: ConsulRegistrationParts) {
    const { Name, Address: host, Port: port } = parts.definition;
    this.subject = `${Name} at ${formatAddress({ host, port })} in consul ${parts.client.agent}`;
    this.#parts = parts;
    this.#ended = this.#run(this.#ending.signal);
  }

  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  get stats(): RegistrationStats {
    const { clock, ttlMs } = this.#parts;
    // Without a confirmation for a TTL the check has become critical.
    const isLate = this.#error !== undefined && clock.now() - this.#confirmedMs >= ttlMs;
    return {
      isRegistered: this.#isKnown && !isLate,
      registrations: this.#registrations,
      error: this.#error?.message,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Not `runWithRestarts`: its pauses, up to 3 s and after a refusal up to 30 s, are longer than a TTL may be. */
  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, ttlMs, hooks } = this.#parts;
    const backoff = createBackoff({ ...backoffBounds, maxMs: Math.min(backoffBounds.maxMs, ttlMs / 3), random });
    while (!signal.aborted) {
      let pauseMs = Math.min(ttlMs / 3, maxRefreshMs);
      try {
        if (this.#isKnown) await this.#refresh(signal);
        else await this.#register(signal);
        if (signal.aborted) return;
        this.#confirmedMs = clock.now();
        this.#listedUntilMs = this.#confirmedMs + ttlMs;
        if (!this.#isReported) hooks.onRegistered?.();
        this.#isReported = true;
        this.#error = undefined;
        backoff.reset();
      } catch (cause) {
        if (signal.aborted) return;
        const error = cause as DiscoveryError;
        if (error.message !== this.#error?.message) hooks.onError?.(error);
        this.#error = error;
        this.#isReported = false;
        // Of a longer Retry-After the instance would be lost.
        pauseMs = Math.min(backoff.next() + (error.retryAfterMs ?? 0), ttlMs / 3);
        if (this.#isKnown && isForgotten(error)) {
          this.#isKnown = false;
          pauseMs = 0; // the agent is well
        }
      }
      if (pauseMs > 0) await clock.sleep(pauseMs, signal, { background: true });
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { definition, clock, ttlMs } = this.#parts;
    const { Check, ...service } = definition;
    // A gRPC check is critical until the agent's first probe. An instance that the agent has forgotten was passing a moment ago.
    const check = this.#registrations === 0 ? Check : { ...Check, Status: "passing" };
    const before = this.#listedUntilMs;
    // A frozen agent carries the request out later, also if it was given up meanwhile.
    this.#listedUntilMs = clock.now() + ttlMs;
    try {
      const body = { ...service, Check: check };
      await this.#put("register", "service/register", signal, { body, replacesChecks: true });
    } catch (error) {
      if (wasNotTaken(error as DiscoveryError)) this.#listedUntilMs = before;
      throw error;
    }
    if (signal.aborted) return;
    this.#isKnown = true;
    this.#registrations += 1;
    this.#registered.resolve();
  }

  /** Refreshes a TTL check; with a gRPC check gets the service, to see whether the agent still has it. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const { ID, Check, Name } = this.#parts.definition;
    if (Check.TTL !== undefined) {
      await this.#put("refresh", `check/update/${escapeText(Check.CheckID)}`, signal, { body: { Status: "passing" } });
      return;
    }
    const path = withQuery(`/v1/agent/service/${escapeText(ID)}`, this.#query);
    const request = { what: `get service ${Name}`, needs: `service:read on "${Name}"` };
    const { client } = this.#parts;
    const { text } = await client.request({ method: "GET", path, ...request, signal, ...this.#limits });
    const wrong = whyNotService(text, ID);
    if (wrong !== undefined) throw describe("unavailable", client.describe(request), wrong);
  }

  async #put(
    verb: string,
    path: string,
    signal: AbortSignal,
    { body, replacesChecks }: { readonly body?: object; readonly replacesChecks?: true } = {},
  ): Promise<void> {
    const { client, definition } = this.#parts;
    const { Name } = definition;
    const request = { what: `${verb} service ${Name}`, needs: `service:write on "${Name}"` };
    const { text } = await client.request({
      method: "PUT",
      path: withQuery(`/v1/agent/${path}`, [["replace-existing-checks", replacesChecks], ...this.#query]),
      ...request,
      signal,
      ...this.#limits,
      ...(body && { body }),
    });
    // An agent confirms each of these writes by a 200 without a body; anything else is another server.
    if (text.trim() !== "") throw describe("unavailable", client.describe(request), notConsul("nothing", text));
  }

  get #query(): readonly (readonly [string, string | undefined])[] {
    const { namespace, partition } = this.#parts.tenancy;
    return [
      ["ns", namespace],
      ["partition", partition],
    ];
  }

  get #limits() {
    const totalMs = Math.min(maxRequestMs, this.#parts.ttlMs / 3);
    return { silenceMs: totalMs, totalMs, maxLength: maxAnswerLength };
  }

  async #close(): Promise<void> {
    const { clock, client } = this.#parts;
    this.#ending.abort();
    await this.#ended;
    if (this.#listedUntilMs !== undefined) {
      const deadline = new AbortController();
      const done = new AbortController();
      const work = this.#deregister(deadline.signal).finally(() => done.abort());
      const boundMs = Math.min(Math.max(this.#listedUntilMs - clock.now(), closeMs.min), closeMs.max);
      await clock.sleep(boundMs, done.signal); // in the foreground: the process must not end before
      deadline.abort();
      await work;
    }
    this.#isKnown = false;
    client.close();
  }

  /** Tries until the agent confirms it or the signal is aborted: then the check becomes critical, and Consul removes it later. */
  async #deregister(signal: AbortSignal): Promise<void> {
    const { clock, random, definition } = this.#parts;
    const backoff = createBackoff({ ...backoffBounds, random });
    while (!signal.aborted) {
      try {
        await this.#put("deregister", `service/deregister/${escapeText(definition.ID)}`, signal);
        this.#error = undefined;
        return;
      } catch (cause) {
        const error = cause as DiscoveryError;
        if (error.status === 404) return; // it is gone already
        if (signal.aborted) return;
        this.#error = error;
        if (error.code === "permissionDenied") return; // that will not change in time
        await clock.sleep(backoff.next(), signal);
      }
    }
  }
}

/** Why an answer is not the service of this id, as `/v1/agent/service/:id` gives it; undefined if it is. */
function whyNotService(text: string, id: string): string | undefined {
  let got: unknown;
  try {
    got = JSON.parse(text);
  } catch {
    // The check below answers for text that is not JSON, too.
  }
  return (got as { ID?: unknown } | null | undefined)?.ID === id ? undefined : notConsul(`the service ${id}`, text);
}

function notConsul(expected: string, text: string): string {
  return `the answer must be ${expected}, got ${text.trim() === "" ? "nothing" : printable(text, 60)}; is this Consul?`;
}

/** The agent has refused the registration, or has not received it, as no connection was made. */
function wasNotTaken({ status, cause }: DiscoveryError): boolean {
  const { code = "" } = (cause ?? {}) as NodeJS.ErrnoException;
  const isRefusal = status !== undefined && status < 500;
  return isRefusal || /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/.test(code);
}

/** The agent answers that it does not have the instance, or its check: it came back empty, or somebody has removed it. */
function isForgotten({ status, message }: DiscoveryError): boolean {
  return status === 404 || (status === 500 && /does not have associated TTL|Unknown check/i.test(message));
}
