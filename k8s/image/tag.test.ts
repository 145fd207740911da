import assert from "node:assert/strict";
import { test } from "node:test";
import { imageName, tagOf } from "./tag.ts";

test("a tag changes with every name and every content, and with nothing else", () => {
  const tag = tagOf([
    ["a", "1"],
    ["b", "2"],
  ]);
  assert.match(tag, /^[0-9a-f]{12}$/);
  assert.equal(
    tagOf([
      ["b", "2"],
      ["a", "1"],
    ]),
    tag,
  );
  const others = [
    tagOf([
      ["a", "1"],
      ["b", "3"],
    ]),
    tagOf([
      ["a", "1"],
      ["c", "2"],
    ]),
    tagOf([["a", "1"]]),
    tagOf([
      ["a", "1"],
      ["b", "2"],
      ["c", ""],
    ]),
    tagOf([
      ["a", "1b"],
      ["", "2"],
    ]),
  ];
  assert.equal(new Set([tag, ...others]).size, others.length + 1);
});

test("an image's name begins with the prefix, whether or not that ends with a slash", () => {
  const name = (imagePrefix: string) => imageName("server", { imagePrefix, nodeImage: "" });
  assert.equal(name(""), "grpc-lb/server");
  assert.equal(name("registry.example.com/team/"), "registry.example.com/team/grpc-lb/server");
  assert.equal(name("registry.example.com/team"), "registry.example.com/team/grpc-lb/server");
});
