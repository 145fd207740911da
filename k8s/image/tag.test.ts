import assert from "node:assert/strict";
import { test } from "node:test";
import { imageName, imagePrefixFlag, tagOf } from "./tag.ts";

test("a tag changes with every name and every content, and only with them", () => {
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
  const name = (imagePrefix: string) => imageName("server", { imagePrefix });
  assert.equal(name(""), "grpc-lb/server");
  assert.equal(name("registry.example.com/team/"), "registry.example.com/team/grpc-lb/server");
  assert.equal(name("registry.example.com/team"), "registry.example.com/team/grpc-lb/server");
});

for (const prefix of ["registry.example.com/team/", "localhost:5000", "team", "10.0.0.1:5000/a/b-c/d__e/"]) {
  test(`${prefix} is a valid prefix; its value ends with a slash`, () =>
    assert.equal(imagePrefixFlag.parse(prefix), prefix.replace(/\/?$/, "/")));
}

for (const prefix of [
  "UPPER/x/",
  "http://reg.example/",
  "a b/",
  "reg//x/",
  "/x/",
  "reg:port/",
  "-x/",
  "reg/x:1/",
  " ",
]) {
  test(`"${prefix}" is not a valid prefix`, () =>
    assert.throws(() => imagePrefixFlag.parse(prefix), /must be the beginning of an image's name/));
}
