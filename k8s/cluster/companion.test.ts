import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { companionImages, companionOf, imageFlags, proxies, registries } from "./companion.ts";

const none = { etcdImage: "", consulImage: "", envoyImage: "", nginxImage: "", haproxyImage: "" };

test("the strategies of registries and proxies have a companion, the others have none", () => {
  assert.equal(companionOf("resolver"), null);
  assert.deepEqual(companionOf("etcd"), { name: "etcd", component: "registry", program: "etcd" });
  assert.deepEqual(companionOf("host-proxy"), { name: "host-proxy", component: "proxy", program: "envoy" });
});

test("an image replaces the one in the manifests: with a tag, with a digest, from a host with a port", () => {
  const digest = `sha256:${"0a".repeat(32)}`;
  const etcd = companionOf("etcd");
  assert.ok(etcd);
  for (const [image, want] of [
    ["", undefined],
    ["etcd", { newName: "etcd" }],
    ["localhost:5000/team/etcd:v3", { newName: "localhost:5000/team/etcd", newTag: "v3" }],
    [`quay.io/coreos/etcd@${digest}`, { newName: "quay.io/coreos/etcd", digest }],
  ] as const) {
    const [found] = companionImages(etcd, { ...none, etcdImage: image });
    assert.deepEqual(found, want && { name: "gcr.io/etcd-development/etcd", ...want }, image);
  }
});

test("the image that is replaced is that of the manifest, which has a tag", () => {
  for (const name of [...registries, ...proxies]) {
    const companion = companionOf(name);
    assert.ok(companion, name);
    const folder = join(import.meta.dirname, "../components", name);
    const [file = ""] = readdirSync(folder).filter((file) => /^(deployment|daemonset)\.yaml$/.test(file));
    const [image] = companionImages(companion, { ...none, [`${companion.program}Image`]: "x" }) as [{ name: string }];
    const manifest = readFileSync(join(folder, file), "utf8");
    assert.match(manifest, new RegExp(`image: ${image.name.replaceAll(".", "\\.")}:v?\\d+\\.\\d+`), name);
    assert.ok(manifest.includes(`app.kubernetes.io/component: ${companion.component}\n`), name);
  }
});

test("an invalid image is an error", () => {
  for (const text of ["Etcd", "a b", "etcd:", "etcd@sha256:12", "https://etcd"]) {
    assert.throws(() => imageFlags.etcdImage.parse(text), /^RangeError: must be an image, such as/, text);
  }
});
