import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { sampleEndpoints } from "../../testing/sample-resources.ts";
import { SnapshotCache } from "../cache/index.ts";
import { type AdsRejection, createAdsServer, serverOptions } from "../server/index.ts";
import { typeUrls } from "../type-urls.ts";
import { AdsClient, type ResourceType, type XdsProtocol } from "./index.ts";

afterEach(assertNothingLeft);

/** The ports of an assignment; one of port 13 cannot be used. */
const ports: ResourceType<string> = {
  typeUrl: typeUrls.endpoints,
  name: "EDS",
  decode(bytes) {
    const { clusterName, endpoints } = ClusterLoadAssignment.decode(bytes);
    const all = endpoints.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ hostIdentifier }) => hostIdentifier?.value.address?.address?.value.portSpecifier?.value),
    );
    return {
      name: clusterName,
      read() {
        if (all.includes(13)) throw new Error("port 13 is unlucky");
        return all.join(",");
      },
    };
  },
};

async function serve(cache: SnapshotCache, port: number, rejections: AdsRejection[]) {
  const ads = createAdsServer({ cache, onRejected: (rejection) => rejections.push(rejection) });
  const server = new Server(serverOptions);
  ads.addTo(server);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
    error ? reject(error) : resolve(bound),
  );
  return { ads, server, port: await promise };
}

for (const protocol of ["delta", "sotw"] as const satisfies readonly XdsProtocol[]) {
  test(`${protocol}: the client and the server of this library understand each other, also after a restart of the server`, async () => {
    const cache = new SnapshotCache();
    const rejections: AdsRejection[] = [];
    cache.setSnapshot("", [sampleEndpoints("a", [1]), sampleEndpoints("b", [2])]);
    let { ads, server, port } = await serve(cache, 0, rejections);
    const client = new AdsClient({ host: "127.0.0.1", port, protocol, node: { id: "client-1" } });
    const heard: Record<"a" | "b" | "c", string[]> = { a: [], b: [], c: [] };
    const unwatches = (["a", "b", "c"] as const).map((name) =>
      client.watch(ports, name, {
        onResource: (value) => heard[name].push(value),
        onMissing: () => heard[name].push("missing"),
        onError: ({ code }) => heard[name].push(code),
        onCurrent: () => {},
      }),
    );
    const ending = new AbortController();
    const ended = (async () => {
      while (!ending.signal.aborted) await client.attempt(() => {}, ending.signal).catch(() => {});
    })();
    await until(() => heard.a.join() === "1" && heard.b.join() === "2", "the first resources");
    cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [1, 3])] });
    await until(() => heard.a.at(-1) === "1,3", "a change");
    cache.updateSnapshot("", { upserts: [sampleEndpoints("b", [13])] });
    await until(() => rejections.length === 1 && heard.b.at(-1) === "invalid", "the rejection");
    assert.match(rejections[0]?.message ?? "", /b: port 13 is unlucky/);
    assert.equal(rejections[0]?.client.node.id, "client-1");

    server.forceShutdown();
    cache.updateSnapshot("", { upserts: [sampleEndpoints("b", [4]), sampleEndpoints("c", [5])] });
    ({ ads, server } = await serve(cache, port, rejections));
    await until(() => heard.b.at(-1) === "4" && heard.c.at(-1) === "5", "what has changed meanwhile");
    assert.deepEqual(
      heard.a.filter((each) => each !== "unavailable"),
      ["1", "1,3"],
      "nothing twice",
    );
    if (protocol === "delta") assert.equal(heard.c[0], "missing");
    cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [6])] });
    await until(() => heard.a.at(-1) === "6", "a change after the restart");
    assert.equal(rejections.length, 1);
    for (const unwatch of unwatches.slice(1)) unwatch();
    await until(() => [...ads.clientStatuses()][0]?.resources.length === 1, "the server forgets b and c");
    ending.abort();
    await ended;
    await until(() => ads.stats().streams === 0, "no stream is left");
    server.forceShutdown();
  });

  test(`${protocol}: what was rejected is good when another control plane has the last good one`, async () => {
    const cache = new SnapshotCache();
    const good = sampleEndpoints("a", [1]);
    cache.setSnapshot("", [good]);
    const first = await serve(cache, 0, []);
    const client = new AdsClient({ host: "127.0.0.1", port: first.port, protocol });
    const heard: string[] = [];
    client.watch(ports, "a", {
      onResource: (value) => heard.push(value),
      onMissing: () => heard.push("missing"),
      onError: ({ code }) => heard.push(code),
      onCurrent: () => {},
    });
    const ending = new AbortController();
    const ended = (async () => {
      while (!ending.signal.aborted) await client.attempt(() => {}, ending.signal).catch(() => {});
    })();
    await until(() => heard.join() === "1", "the good one");
    cache.setSnapshot("", [sampleEndpoints("a", [13])]);
    await until(() => heard.join() === "1,invalid", "the rejected one");
    first.server.forceShutdown();
    cache.setSnapshot("", [good]);
    const second = await serve(cache, first.port, []);
    await until(() => heard.at(-1) === "1", "the good one again");
    ending.abort();
    await ended;
    await until(() => second.ads.stats().streams === 0, "no stream is left");
    second.server.forceShutdown();
  });
}
