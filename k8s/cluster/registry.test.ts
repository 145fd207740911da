import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { registries, registryFlags, registryImages, registryOf } from "./registry.ts";

const none = { etcdImage: "", consulImage: "" };

test("only the strategies etcd and consul have a registry", () => {
  assert.equal(registryOf("resolver", { etcdImage: "a", consulImage: "b" }), null);
  assert.deepEqual(registryOf("etcd", none), { name: "etcd", image: "" });
  assert.deepEqual(registryOf("consul", { etcdImage: "a", consulImage: "b" }), { name: "consul", image: "b" });
});

test("an image replaces the one in the manifests: with a tag, with a digest, from a host with a port", () => {
  const digest = `sha256:${"0a".repeat(32)}`;
  for (const [image, want] of [
    ["", undefined],
    ["etcd", { newName: "etcd" }],
    ["localhost:5000/team/etcd:v3", { newName: "localhost:5000/team/etcd", newTag: "v3" }],
    [`quay.io/coreos/etcd@${digest}`, { newName: "quay.io/coreos/etcd", digest }],
  ] as const) {
    const [found] = registryImages({ name: "etcd", image });
    assert.deepEqual(found, want && { name: "gcr.io/etcd-development/etcd", ...want }, image);
  }
  for (const registry of registries) {
    const manifest = readFileSync(join(import.meta.dirname, `../components/${registry}/deployment.yaml`), "utf8");
    const [{ name }] = registryImages({ name: registry, image: "x" }) as [{ name: string }];
    assert.ok(manifest.includes(`image: ${name}:`), `${name} is not the image of the manifest`);
  }
});

test("an invalid image is an error", () => {
  for (const text of ["Etcd", "a b", "etcd:", "etcd@sha256:12", "https://etcd"]) {
    assert.throws(() => registryFlags.etcdImage.parse(text), /^RangeError: must be an image, such as/, text);
  }
});
