import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiClient } from "./api.ts";
import type { Service } from "./endpoint-slice.ts";

/** How the last attempt to read the Service ended; `read` also where the answer was that there is none. */
export type ServiceAccess = "read" | "permissionDenied" | "failed";

/**
 * What is known of the Service itself, which maps its ports and bears annotations. Whoever may not read it does without, so
 * no failure is thrown; one leaves the Service as it was read last.
 */
export class ServiceReader {
  readonly #name: string;
  readonly #path: string;
  #service: Service | undefined;
  #access: ServiceAccess | undefined;
  #absence: DiscoveryError | undefined;
  #isReading = false;
  /** What made it doubtful since the last reading began. */
  #doubts = 0;

  constructor({ namespace, service }: { readonly namespace: string; readonly service: string }) {
    this.#name = `${namespace}/${service}`;
    this.#path = `/api/v1/namespaces/${namespace}/services/${service}`;
  }

  get service(): Service | undefined {
    return this.#service;
  }

  /** Undefined before the first attempt has ended. */
  get access(): ServiceAccess | undefined {
    return this.#access;
  }

  /** That there is no such Service, if the last attempt said so and nothing was seen since that makes it doubtful. */
  get absence(): DiscoveryError | undefined {
    return this.isDoubted ? undefined : this.#absence;
  }

  /** Whether there is a Service, and no reading under way may say otherwise. */
  get isKnown(): boolean {
    return this.#service !== undefined && !this.#isReading;
  }

  /** Whether it is to be read again. */
  get isDoubted(): boolean {
    return this.#doubts > 0;
  }

  /** Something was seen by which the Service may have come or gone. Who may not read it has nothing to doubt. */
  doubt(): void {
    if (this.#isReading || this.#access === "read") this.#doubts += 1;
  }

  /**
   * Reads it, unless `signal` is aborted meanwhile; whether the Service has other ports or annotations now. What is doubted
   * during the reading stays so: the answer may be older. Not to be called again before it has ended.
   */
  async read(api: ApiClient, signal: AbortSignal): Promise<boolean> {
    const doubts = this.#doubts;
    this.#isReading = true;
    const what = `get service ${this.#name}`;
    let next: Service | undefined;
    let access: ServiceAccess = "read";
    let absence: DiscoveryError | undefined;
    try {
      next = await api.get<Service>({ path: this.#path, what, signal, silenceMs, totalMs });
    } catch (cause) {
      const { status } = cause as DiscoveryError;
      // 404 is an answer, too. One that fails is asked again soon.
      if (status !== 404) access = status === 403 ? "permissionDenied" : "failed";
      else absence = describeAbsence(what, cause);
    }
    this.#isReading = false;
    if (signal.aborted) return false;
    this.#access = access;
    this.#absence = absence;
    this.#doubts -= doubts;
    if (access !== "read" || relevant(next) === relevant(this.#service)) return false;
    this.#service = next;
    return true;
  }
}

/** Those who need the Service for its ports do not wait longer for it. */
const silenceMs = 5_000;
const totalMs = 15_000;

function describeAbsence(what: string, cause: unknown): DiscoveryError {
  return new DiscoveryError("notFound", `kubernetes: ${what}: 404 Not Found: there is no such Service`, {
    cause,
    status: 404,
  });
}

/** What a change of the Service is judged by. */
function relevant(service: Service | undefined): string {
  return JSON.stringify([service?.spec?.ports, service?.metadata.annotations]);
}
