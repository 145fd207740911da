import type { Address, Endpoint } from "../core/snapshot.ts";
import type { SliceEndpoint } from "./reader.ts";

/** The state of one endpoint in one slice. */
export interface SliceEntry {
  readonly endpoint: SliceEndpoint;
  readonly family: "IPv4" | "IPv6";
  readonly host: string;
  readonly port: number;
}

/** An endpoint as it is published. */
export interface MergedEndpoint {
  readonly endpoint: Endpoint;
  /** Whether it drains: draining endpoints are used only while none is ready (KEP-1669). */
  readonly isStandby: boolean;
}

const order = { ready: 0, draining: 1, ended: 2 };

/** The newer of two entries: a pod that terminates never becomes ready again. */
export function laterInLifecycle(a: SliceEntry, b: SliceEntry): SliceEntry {
  return order[b.endpoint.state] > order[a.endpoint.state] ? b : a;
}

/** Merges the entries of one endpoint, in the order of their slices; undefined when it can get no traffic. */
export function mergeEntries(
  id: string,
  entries: readonly SliceEntry[],
  families: readonly string[],
): MergedEndpoint | undefined {
  let last = entries[0] as SliceEntry;
  for (let n = 1; n < entries.length; n++) last = laterInLifecycle(last, entries[n] as SliceEntry);
  if (last.endpoint.state === "ended") return undefined;
  let first: SliceEntry | undefined;
  const addresses: Address[] = [];
  for (const family of families) {
    for (const entry of entries) {
      if (entry.family !== family) continue;
      first ??= entry;
      const { host, port } = entry;
      if (addresses.every((each) => each.host !== host || each.port !== port)) addresses.push({ host, port });
      break; // one address of each family: two slices can name the same one for a moment
    }
  }
  const { zone, nodeName, forZones, podName } = (first as SliceEntry).endpoint;
  const endpoint: Endpoint = {
    id,
    addresses,
    weight: 1,
    zone,
    forZones,
    nodeName,
    metadata: podName === undefined ? {} : { podName },
  };
  return { endpoint, isStandby: last.endpoint.state === "draining" };
}

/** Whether two entries describe the same state. */
export function isSameEntry(a: SliceEntry, b: SliceEntry): boolean {
  const [one, other] = [a.endpoint, b.endpoint];
  return (
    a.host === b.host &&
    a.port === b.port &&
    a.family === b.family &&
    one.state === other.state &&
    one.zone === other.zone &&
    one.nodeName === other.nodeName &&
    one.podName === other.podName &&
    one.forZones.length === other.forZones.length &&
    one.forZones.join() === other.forZones.join()
  );
}
