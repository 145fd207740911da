import assert from "node:assert/strict";
import { test } from "node:test";
import { credentials, experimental, status } from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { targetSchemes } from "@grpc-lb/discovery";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { failure, type PodClient } from "../testing/rig.ts";

/** A resolver of somebody else, which was there first. */
class OtherResolver implements experimental.Resolver {
  readonly #listener: experimental.ResolverListener;

  constructor(_target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#listener = listener;
  }

  updateResolution(): void {
    const error = { code: status.UNAVAILABLE, details: "by another resolver" };
    this.#listener(experimental.statusOrFromError(error), {}, null, "");
  }

  destroy(): void {}

  static getDefaultAuthority(): string {
    return "other";
  }
}

const targets = {
  kubernetes: "kubernetes:///server.default:grpc",
  etcd: "etcd://me:secret@127.0.0.1:1/server",
  consul: "consul://127.0.0.1:1/server?token=secret",
  "dns-poll": "dns-poll:///server.example:1",
  static: "static:///127.0.0.1:1",
  file: "file:///endpoints.yaml",
  xds: "xds://127.0.0.1:1/server",
} as const;

test("without registerResolvers() calls fail with what to do; a scheme that another resolver has keeps it", async () => {
  experimental.registerResolver("static", OtherResolver);
  await import("./index.ts");
  for (const scheme of targetSchemes) {
    const client: PodClient = new PodServiceClient(targets[scheme], credentials.createInsecure(), {
      "grpc.enable_http_proxy": 0,
    });
    const want =
      scheme === "static"
        ? "by another resolver"
        : `no resolver is registered for ${scheme}: targets; call registerResolvers() of @grpc-lb/resolver before the channel is made`;
    assert.ok((await failure(client)).endsWith(want), scheme);
    client.close();
  }
  await assertNothingLeft();
});

test("registerResolvers leaves xds: to a resolver of others that was there before, with a warning", async () => {
  experimental.registerResolver("xds", OtherResolver);
  const { registerResolvers } = await import("./index.ts");
  const warnings: string[] = [];
  registerResolvers({ warn: (warning) => warnings.push(warning), warnOfProxy: false });
  const client: PodClient = new PodServiceClient("xds:///listener", credentials.createInsecure());
  assert.ok((await failure(client)).endsWith("by another resolver"));
  assert.match(warnings.join("\n"), /^xds: targets are left to the resolver of others .* @grpc\/grpc-js-xds$/m);
  client.close();
  await assertNothingLeft();
});
