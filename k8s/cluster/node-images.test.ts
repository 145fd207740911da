import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuiltImages } from "../image/built.ts";
import { version } from "../image/tag.ts";
import { type ApiNode, haveImages } from "./node-images.ts";

const tags = { server: "aaa", "client-http": "bbb", "client-grpc": "ccc", compare: "ddd", "control-plane": "eee" };
const built: BuiltImages = { imagePrefix: "", nodeImage: "node", platform: "linux/amd64", tags };

function node(images: Readonly<Record<string, readonly string[]>>): ApiNode {
  const names = Object.entries(images).map(([app, tags]) => tags.map((tag) => `docker.io/grpc-lb/${app}:${tag}`));
  return { status: { images: names.map((names) => ({ names })) } };
}

const all = {
  ...{ server: [version, "aaa"], "client-http": [version, "bbb"], "client-grpc": ["ccc", version] },
  compare: [version, "ddd"],
  "control-plane": [version, "eee"],
};

test("the nodes have the images if each node has each image under both names", () => {
  assert.equal(haveImages([node(all), node(all)], built), true);
});

test("an image without names is ignored", () => {
  const images = [{ names: null }, {}, ...(node(all).status?.images ?? [])];
  assert.equal(haveImages([{ status: { images } }], built), true);
});

const prefixed = (node(all).status?.images ?? []).map(({ names }) => ({
  names: names?.map((name) => name.replace("docker.io/", "docker.io/team/")) ?? null,
}));

for (const [what, nodes] of [
  ["there is no node", []],
  ["a node reports nothing", [node(all), {}]],
  ["one node lacks one", [node(all), node({ ...all, server: [version] })]],
  ["the version belongs to another image", [node({ ...all, server: ["aaa"], "client-http": ["bbb", version] })]],
  ["the images are those of another prefix", [{ status: { images: prefixed } }]],
  ["only a longer name matches", [node({ ...all, server: [version, "aaaa"] })]],
] as const) {
  test(`the nodes lack images if ${what}`, () => {
    assert.equal(haveImages(nodes, built), false);
  });
}
