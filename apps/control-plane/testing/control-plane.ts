import { systemClock } from "@grpc-lb/core";
import { SnapshotCache } from "@grpc-lb/xds/cache";
import { createAdsServer } from "@grpc-lb/xds/server";
import { readConfig } from "../src/config/read-config.ts";
import { clientGroupOf } from "../src/resources/client-kind.ts";
import { listen } from "../src/serving/listen.ts";
import { Publisher } from "../src/serving/publisher.ts";
import { FakeSources } from "./fake-sources.ts";

/** A control plane in this process, whose sources answer what a test says. */
export async function startControlPlane(services: object, { port = 0, syncTimeoutMs = 20_000 } = {}) {
  const cache = new SnapshotCache();
  const sources = new FakeSources();
  const problems: string[] = [];
  const publisher = new Publisher({
    ...{ cache, clock: systemClock, createSource: sources.create, syncTimeoutMs },
    onProblem: ({ reason }) => problems.push(reason),
  });
  const ads = createAdsServer({
    cache,
    groupOf: ({ userAgentName }) => clientGroupOf(userAgentName),
    onRejected: ({ message }) => problems.push(message),
  });
  const serve = (next: object) => publisher.setConfig(readConfig({ services: next }));
  serve(services);
  const listening = await listen({ host: "127.0.0.1", port, services: [ads], clock: systemClock });
  return {
    port: listening.port,
    sources,
    /** Problems of sources, and resources that clients rejected. */
    problems,
    publisher,
    serve,
    clients: () => ads.clients(),
    async stop() {
      await listening.drain(0, 0);
      await publisher.close();
    },
  };
}
