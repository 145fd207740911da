import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { sampleEndpoints } from "../../testing/sample-resources.ts";
import { type Resource, SnapshotCache } from "../cache/index.ts";
import { AdsClient, type ResourceType } from "../client/index.ts";
import { typeUrls } from "../type-urls.ts";
import { createAdsServer } from "./ads-server.ts";

const portsType: ResourceType<readonly number[]> = {
  typeUrl: typeUrls.endpoints,
  name: "EDS",
  decode(bytes) {
    const { clusterName, endpoints } = ClusterLoadAssignment.decode(bytes);
    const read = () => {
      const addresses = endpoints.flatMap(({ lbEndpoints }) =>
        lbEndpoints.map(({ hostIdentifier: host }) => host?.value),
      );
      const ports = addresses.map((host) => host?.address?.address?.value.portSpecifier?.value ?? 0);
      if (ports.includes(13)) throw new Error("port 13 is not wanted");
      return ports;
    };
    return { name: clusterName, read };
  },
};

/** A control plane that can be replaced by another one on the same port. */
class ControlPlane {
  readonly rejections: string[] = [];
  port = 0;
  cache = new SnapshotCache();
  ads = createAdsServer({ cache: this.cache });
  #server = new Server();

  async start(resources: readonly Resource[]): Promise<void> {
    this.cache = new SnapshotCache();
    this.cache.setSnapshot("", resources);
    const onRejected = ({ message }: { readonly message: string }) => this.rejections.push(message);
    this.ads = createAdsServer({ cache: this.cache, onRejected });
    this.#server = new Server();
    this.ads.addTo(this.#server);
    const bind = promisify(this.#server.bindAsync.bind(this.#server));
    this.port = await bind(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure());
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

after(assertNothingLeft);

for (const protocol of ["delta", "sotw"] as const) {
  describe(`our own client, ${protocol}`, () => {
    test("follows changes, keeps the last good resource through a rejection and a restart, and resumes", async () => {
      const controlPlane = new ControlPlane();
      await controlPlane.start([sampleEndpoints("a", [1]), sampleEndpoints("b", [2])]);
      const client = new AdsClient({ host: "127.0.0.1", port: controlPlane.port, protocol });
      const seen: string[] = [];
      const watch = (name: string) =>
        client.watch(portsType, name, {
          onResource: (ports) => seen.push(`${name} ${ports.join()}`),
          onMissing: () => seen.push(`${name} missing`),
          onError: ({ code }) => seen.push(`${name} ${code}`),
          onCurrent: () => {},
        });
      const unwatch = watch("a");
      const end = new AbortController();
      const run = async () => {
        while (!end.signal.aborted) {
          await client.attempt(() => {}, end.signal).catch(() => new Promise((resolve) => setImmediate(resolve)));
        }
      };
      const running = run();
      await until(() => seen.includes("a 1"), "a is known");
      watch("b");
      await until(() => seen.includes("b 2"), "b is known");
      controlPlane.cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [1, 11])] });
      await until(() => seen.includes("a 1,11"), "the change arrives");

      controlPlane.cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [13])] });
      await until(() => controlPlane.rejections.length === 1, "the rejection is reported");
      assert.match(controlPlane.rejections[0] ?? "", /port 13 is not wanted/);
      controlPlane.cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [12])] });
      await until(() => seen.at(-1) === "a 12", "the next one arrives");

      seen.length = 0;
      controlPlane.stop();
      await controlPlane.start([sampleEndpoints("a", [12]), sampleEndpoints("b", [3])]);
      await until(() => seen.includes("b 3"), "the change of the restart arrives");
      if (protocol === "delta") assert.ok(!seen.includes("a 12"), "what did not change is not sent again");
      controlPlane.cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [4])] });
      await until(() => seen.at(-1) === "a 4", "changes go on");
      assert.equal(controlPlane.rejections.length, 1);

      unwatch();
      await until(() => controlPlane.ads.clientStatuses()[0]?.resources.length === 1, "the server forgets a");
      end.abort();
      await running;
      controlPlane.stop();
    });
  });
}
