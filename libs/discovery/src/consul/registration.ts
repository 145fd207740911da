import { type Clock, createBackoff, type Random, systemClock } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { Instance, Registration, RegistrationHooks, RegistrationStats } from "../core/registration.ts";
import type { Address } from "../core/snapshot.ts";
import { type ConsulCredentials, readConsulEnvironment, validateConsulAccess } from "./access.ts";
import { ConsulClient } from "./client.ts";
import { type ConsulCheck, defineService, type ServiceDefinition } from "./service-definition.ts";

/** What to register, with which agent, and how. */
export interface ConsulRegistrationOptions extends RegistrationHooks {
  /** The agent of this machine, or a server: its HTTP address, or with `credentials.tls` its HTTPS address. */
  readonly agent: Address;
  /** Default: what `readConsulEnvironment` finds. */
  readonly credentials?: ConsulCredentials;
  /** `ttlMs` is at least 1 s. For the limits of `metadata` see `defineService`. */
  readonly instance: Instance;
  /** Default: none. */
  readonly tags?: readonly string[];
  /** Default: `{ t: "ttl" }`. */
  readonly check?: ConsulCheck;
  /**
   * How long an instance may be critical before Consul forgets it, in milliseconds; at least 1 min, which is Consul's own
   * least, and it looks every 30 s. Out of the sets it is as soon as it is critical. Default: 1 min.
   */
  readonly deregisterCriticalAfterMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What keeps one from the agent is tried again soon, so that a restart of the agent costs less than the TTL. */
const backoffBounds = { baseMs: 100, maxMs: 2_000 };
/** However long the TTL: an agent that comes back empty is told anew long before sources believe it (`defaultMissingGraceMs`). */
const leastPaceMs = 2_000;
/** A close lasts no longer than until the TTL is over, within these bounds. */
const closeMs = { least: 1_000, most: 5_000 };

/**
 * Registers an instance with a Consul agent and sees to it that it stays: a TTL check is kept passing at a third of the TTL, and
 * each 2 s at least; with a gRPC check, which the agent makes, the agent is asked as often whether it still knows the instance.
 * An agent that has forgotten is told anew. Needed right: `service:write` on the service; for a gRPC check also `service:read`.
 *
 * Works in the background: neither its connection nor its timers keep the process alive.
 *
 * @throws RangeError for what Consul cannot hold; an agent that cannot be reached is no error, and is tried again until `close`
 */
export function registerInConsul(options: ConsulRegistrationOptions): Registration {
  const { clock = systemClock, random = Math.random, instance } = options;
  const credentials = options.credentials ?? readConsulEnvironment();
  const access = validateConsulAccess({ agent: options.agent, credentials });
  const definition = defineService(instance, options);
  const client = new ConsulClient(access, clock);
  return new ConsulRegistration(client, definition, { ttlMs: instance.ttlMs ?? 10_000, clock, random, hooks: options });
}

class ConsulRegistration implements Registration {
  readonly subject: string;
  readonly #client: ConsulClient;
  readonly #definition: ServiceDefinition;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hooks: RegistrationHooks;
  readonly #registered = Promise.withResolvers<void>();
  readonly #ending = new AbortController();
  readonly #ended: Promise<void>;
  #closed: Promise<void> | undefined;
  /** Whether the agent has it, as far as is known. */
  #isKnown = false;
  /** Until when the agent may show it, as it was asked to take it or has said that it has it; undefined: it cannot have it. */
  #shownUntilMs: number | undefined;
  #registrations = 0;
  /** Whether the hooks know that it is registered. */
  #isSaid = false;
  #error: DiscoveryError | undefined;
  /** When the agent last said that it has it. */
  #provenMs = 0;

  constructor(
    client: ConsulClient,
    definition: ServiceDefinition,
    options: {
      readonly ttlMs: number;
      readonly clock: Clock;
      readonly random: Random;
      readonly hooks: RegistrationHooks;
    },
  ) {
    const { Name, Address: host, Port: port } = definition;
    this.subject = `${Name} at ${formatAddress({ host, port })} in consul ${client.agent}`;
    this.#client = client;
    this.#definition = definition;
    this.#ttlMs = options.ttlMs;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#hooks = options.hooks;
    this.#ended = this.#run(this.#ending.signal);
  }

  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  get stats(): RegistrationStats {
    // When nothing was heard for a TTL, the check has become critical.
    const isLate = this.#error !== undefined && this.#clock.now() - this.#provenMs >= this.#ttlMs;
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

  async #run(signal: AbortSignal): Promise<void> {
    const bounds = { ...backoffBounds, maxMs: Math.min(backoffBounds.maxMs, this.#ttlMs / 3) };
    const backoff = createBackoff({ ...bounds, random: this.#random });
    while (!signal.aborted) {
      let waitMs = Math.min(this.#ttlMs / 3, leastPaceMs);
      try {
        if (this.#isKnown) await this.#prove(signal);
        else await this.#register(signal);
        if (signal.aborted) return;
        this.#provenMs = this.#clock.now();
        this.#shownUntilMs = this.#provenMs + this.#ttlMs;
        if (!this.#isSaid) this.#hooks.onRegistered?.();
        this.#isSaid = true;
        this.#error = undefined;
        backoff.reset();
      } catch (cause) {
        if (signal.aborted) return;
        const error = cause as DiscoveryError;
        if (error.message !== this.#error?.message) this.#hooks.onError?.(error);
        this.#error = error;
        this.#isSaid = false;
        waitMs = backoff.next() + (error.retryAfterMs ?? 0);
        if (this.#isKnown && isForgotten(error)) {
          this.#isKnown = false;
          waitMs = 0; // that it says so is no failure of it
        }
      }
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal, { background: true });
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { Check, ...service } = this.#definition;
    // A gRPC check begins as critical, until the agent's first probe. One that the agent has forgotten served a moment ago.
    const check = this.#registrations === 0 ? Check : { ...Check, Status: "passing" };
    const before = this.#shownUntilMs;
    // A frozen agent does later what it was asked now, also when nobody waits for its answer any more.
    this.#shownUntilMs = this.#clock.now() + this.#ttlMs;
    try {
      await this.#put("register", "service/register?replace-existing-checks=true", signal, {
        ...service,
        Check: check,
      });
    } catch (error) {
      if (wasNotTaken(error as DiscoveryError)) this.#shownUntilMs = before;
      throw error;
    }
    if (signal.aborted) return;
    this.#isKnown = true;
    this.#registrations += 1;
    this.#registered.resolve();
  }

  /** Says that the instance lives, or asks whether the agent still knows it. */
  async #prove(signal: AbortSignal): Promise<void> {
    const { ID, Check } = this.#definition;
    if (Check.TTL !== undefined) {
      const path = `check/update/${encodeURIComponent(Check.CheckID)}`;
      await this.#put("keep", path, signal, { Status: "passing" });
      return;
    }
    const path = `/v1/agent/service/${encodeURIComponent(ID)}`;
    const { Name } = this.#definition;
    const asked = { what: `look for service ${Name}`, needs: `service:read on "${Name}"` };
    await this.#client.request({ method: "GET", path, ...asked, signal, silenceMs: this.#silenceMs });
  }

  async #put(verb: string, path: string, signal: AbortSignal, body?: object): Promise<void> {
    const { Name } = this.#definition;
    await this.#client.request({
      method: "PUT",
      path: `/v1/agent/${path}`,
      what: `${verb} service ${Name}`,
      needs: `service:write on "${Name}"`,
      signal,
      silenceMs: this.#silenceMs,
      ...(body && { body }),
    });
  }

  /** So that two tries fit into a TTL. */
  get #silenceMs(): number {
    return Math.min(5_000, this.#ttlMs / 3);
  }

  async #close(): Promise<void> {
    const clock = this.#clock;
    this.#ending.abort();
    await this.#ended;
    if (this.#shownUntilMs !== undefined) {
      const bound = new AbortController();
      const done = new AbortController();
      const work = this.#deregister(bound.signal).finally(() => done.abort());
      const leftMs = this.#shownUntilMs - clock.now();
      const boundMs = Math.min(Math.max(leftMs, closeMs.least), closeMs.most);
      await clock.sleep(boundMs, done.signal); // in the foreground, as this is work to be done
      bound.abort();
      await work;
    }
    this.#isKnown = false;
    this.#client.close();
  }

  /** Until it is said, or the time is over: then its check becomes critical, and Consul forgets it later. */
  async #deregister(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ ...backoffBounds, random: this.#random });
    while (!signal.aborted) {
      try {
        await this.#put("deregister", `service/deregister/${encodeURIComponent(this.#definition.ID)}`, signal);
        this.#error = undefined;
        return;
      } catch (cause) {
        const error = cause as DiscoveryError;
        if (error.status === 404) return; // it is gone already
        if (signal.aborted) return;
        this.#error = error;
        if (error.code === "permissionDenied") return; // that will not change in time
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
  }
}

/** The agent has refused the registration, or was never told of it, as nobody was reached. */
function wasNotTaken({ status, cause }: DiscoveryError): boolean {
  const { code = "" } = (cause ?? {}) as NodeJS.ErrnoException;
  const isRefusal = status !== undefined && status < 500;
  return isRefusal || /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/.test(code);
}

/** The agent is there and knows nothing of it, or not of its check: it was restarted, or somebody has taken it out. */
function isForgotten({ status, message }: DiscoveryError): boolean {
  return status === 404 || (status === 500 && /does not have associated TTL|Unknown check/i.test(message));
}
