import { DiscoveryError, defineSource, type Endpoint, parseAddress, type Source } from "@grpc-lb/discovery";
import { request } from "undici";

/** An instance, as the inventory sends it. */
export interface Instance {
  readonly address: string;
  readonly weight: number;
}

/** The instances of a service in an inventory, which sends the whole list as a line of JSON, and again after each change. */
export function createInventorySource(url: string, service: string): Source {
  const subject = `inventory service ${service}`;
  return defineSource({
    subject, // for messages
    key: `inventory ${url} ${service}`, // sources of the same key share one run
    // What it throws is published beside the last good endpoints, and it is called again after a backoff.
    async start(store, signal) {
      const { statusCode, body } = await request(new URL(`/services/${service}`, url), { signal, bodyTimeout: 0 });
      if (statusCode !== 200) {
        const code = statusCode === 403 ? "permissionDenied" : "unavailable"; // the former backs off longer
        throw new DiscoveryError(code, `${subject}: ${statusCode}`);
      }
      store.watches += 1;
      let rest = "";
      for await (const text of body.setEncoding("utf8")) {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        const newest = lines.at(-1); // each line is the whole list
        if (newest === undefined) continue;
        store.events += 1;
        store.endpoints.replaceAll((JSON.parse(newest) as Instance[]).map(toEndpoint));
        store.sync(); // publishes, unless nothing changed
      }
      throw new DiscoveryError("unavailable", `${subject}: the inventory ended the stream`);
    },
  });
}

function toEndpoint({ address, weight }: Instance): Endpoint {
  const more = { zone: undefined, forZones: [], nodeName: undefined, metadata: {} };
  return { id: address, addresses: [parseAddress(address)], weight, ...more };
}
