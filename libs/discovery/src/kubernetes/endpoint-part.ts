import type { Endpoint } from "../core/snapshot.ts";
import type { EndpointSlice, SliceEndpoint } from "./endpoint-slice.ts";

/** What one slice says of one endpoint. */
export interface Part {
  /** `ended`: terminating, and it serves no more. */
  readonly fitness: "ready" | "draining" | "ended";
  readonly family: EndpointSlice["addressType"];
  readonly host: string;
  readonly port: number;
  readonly endpoint: SliceEndpoint;
}

/** An endpoint as it was last published. */
export interface Merged {
  readonly fitness: "ready" | "draining";
  readonly endpoint: Endpoint;
}

const ranks = { ready: 0, draining: 1, ended: 2 };

/** The one to believe: who terminates never comes back, so that which says it is the newer, whatever the others still say. */
export function further(a: Part, b: Part): Part {
  return ranks[b.fitness] > ranks[a.fitness] ? b : a;
}

/** Joins what slices say of one endpoint, in the order of their names; undefined when it can get no traffic. */
export function joinParts(id: string, parts: readonly Part[], families: readonly string[]): Merged | undefined {
  // One address of each family: two slices can name the same one for a moment.
  const perFamily = families.map((wanted) => parts.find(({ family }) => family === wanted));
  const chosen = perFamily.filter((part) => part !== undefined);
  const [first] = chosen;
  const { fitness } = parts.reduce(further, parts[0] as Part);
  if (!first || fitness === "ended") return undefined;
  const { targetRef, zone, nodeName, hints } = first.endpoint;
  const endpoint: Endpoint = {
    id,
    addresses: chosen.map(({ host, port }) => ({ host, port })),
    weight: 1,
    zone: zone ?? undefined,
    forZones: (hints?.forZones ?? []).map(({ name }) => name),
    nodeName: nodeName ?? undefined,
    metadata: targetRef?.name === undefined ? {} : { podName: targetRef.name },
  };
  return { fitness, endpoint };
}

/** Whether two states of a slice say the same of an endpoint. */
export function isSamePart(a: Part, b: Part): boolean {
  return (
    a.fitness === b.fitness &&
    a.family === b.family &&
    a.host === b.host &&
    a.port === b.port &&
    a.endpoint.zone === b.endpoint.zone &&
    a.endpoint.nodeName === b.endpoint.nodeName &&
    a.endpoint.targetRef?.name === b.endpoint.targetRef?.name &&
    isSameList(a.endpoint.hints?.forZones ?? [], b.endpoint.hints?.forZones ?? [], (x, y) => x.name === y.name)
  );
}

/** Whether an endpoint may stay the object it was. */
export function isSameMerged(a: Merged, b: Merged): boolean {
  return (
    a.fitness === b.fitness &&
    a.endpoint.zone === b.endpoint.zone &&
    a.endpoint.nodeName === b.endpoint.nodeName &&
    a.endpoint.metadata.podName === b.endpoint.metadata.podName &&
    isSameList(a.endpoint.addresses, b.endpoint.addresses, (x, y) => x.host === y.host && x.port === y.port) &&
    isSameList(a.endpoint.forZones, b.endpoint.forZones, (x, y) => x === y)
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((item, i) => isSame(item, b[i] as T));
}
