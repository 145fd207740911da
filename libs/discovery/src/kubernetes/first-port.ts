import type { EndpointSlice } from "./endpoint-slice.ts";
import { isReachable, type SettledPort } from "./port.ts";

/**
 * Which port is meant when none is named: one for the whole service, so that its endpoints never speak different protocols.
 * It is the one that most slices have, the first by name of several: the controller makes a slice for each set of ports that
 * pods have, and few endpoints are lost so. Slices without endpoints have no say.
 */
export class FirstPort {
  /** How many slices have a port, by its name. */
  readonly #counts = new Map<string, number>();
  #name: string | undefined;

  /** Undefined while there is none. */
  get selector(): SettledPort | undefined {
    return this.#name === undefined ? undefined : { t: "name", name: this.#name };
  }

  /** A slice came (`before` is undefined), changed or went; whether another port is meant now. */
  replace(before: EndpointSlice | undefined, after: EndpointSlice | undefined): boolean {
    const was = this.#name;
    this.#count(before, -1);
    this.#count(after, 1);
    let most = 0;
    this.#name = undefined;
    for (const [name, count] of this.#counts) {
      if (count < most || (count === most && name > (this.#name ?? ""))) continue;
      most = count;
      this.#name = name;
    }
    return this.#name !== was;
  }

  #count(slice: EndpointSlice | undefined, by: 1 | -1): void {
    if (!slice?.endpoints?.length || slice.addressType === "FQDN") return;
    const dialled = (slice.ports ?? []).filter((port) => isReachable(port) && port.port != null);
    for (const name of new Set(dialled.map((port) => port.name ?? ""))) {
      const count = (this.#counts.get(name) ?? 0) + by;
      if (count > 0) this.#counts.set(name, count);
      else this.#counts.delete(name);
    }
  }
}
