import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuiltImages } from "../image/built.ts";
import { version } from "../image/tag.ts";
import { type ApiNode, haveImages } from "./node-images.ts";

const tags = { server: "aaa", "client-http": "bbb", "client-grpc": "ccc" };
const built: BuiltImages = { imagePrefix: "", nodeImage: "node", platform: "linux/amd64", tags };

function node(images: Readonly<Record<string, readonly string[]>>): ApiNode {
  const names = Object.entries(images).map(([app, tags]) => tags.map((tag) => `docker.io/grpc-lb/${app}:${tag}`));
  return { status: { images: names.map((names) => ({ names })) } };
}

const all = { server: [version, "aaa"], "client-http": [version, "bbb"], "client-grpc": ["ccc", version] };

test("images are on the nodes when each node has each of them under both names", () => {
  assert.equal(haveImages([node(all), node(all)], built), true);
});

test("an image that lost its names does not matter", () => {
  const images = [{ names: null }, {}, ...(node(all).status?.images ?? [])];
  assert.equal(haveImages([{ status: { images } }], built), true);
});

for (const [what, nodes] of [
  ["there is no node", []],
  ["a node says nothing", [node(all), {}]],
  ["one node lacks one", [node(all), node({ ...all, server: [version] })]],
  ["the version is another image's", [node({ ...all, server: ["aaa"], "client-http": ["bbb", version] })]],
  ["only a longer name matches", [node({ ...all, server: [version, "aaaa"] })]],
] as const) {
  test(`they are not when ${what}`, () => {
    assert.equal(haveImages(nodes, built), false);
  });
}
