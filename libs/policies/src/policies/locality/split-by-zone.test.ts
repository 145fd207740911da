import assert from "node:assert/strict";
import { test } from "node:test";
import { endpoint } from "../../../testing/fake-channel.ts";
import { splitByZone } from "./split-by-zone.ts";

/** `a` is in zone a; `a>b` is too, with a hint for b; `>b` has a hint only, and the empty word has nothing. */
function read(words: readonly string[]) {
  return words.map((word, index) => {
    const [zone, hints] = word.split(">");
    return endpoint(`10.0.0.${index}:80`, {
      ...(zone ? { zone } : {}),
      ...(hints ? { forZones: hints.split(",") } : {}),
    });
  });
}

test("hints, then zones, then all: with kube-proxy's safeguards", () => {
  const table: { name: string; words: string[]; zone?: string; min?: number; local: number[] }[] = [
    { name: "own zone unknown", words: ["a>a", "b>b"], local: [0, 1] },
    { name: "nothing known of endpoints", words: ["", ""], zone: "a", local: [0, 1] },
    { name: "no endpoints", words: [], zone: "a", local: [] },
    { name: "hints as zones", words: ["a>a", "b>b", "c>c"], zone: "a", local: [0] },
    { name: "hints other than zones", words: ["a>b", "b>a", "c>c"], zone: "a", local: [1] },
    { name: "hints for several zones", words: ["a>a", "b>b,a", "c>c"], zone: "a", local: [0, 1] },
    { name: "hints without zones", words: [">a", ">b"], zone: "b", local: [1] },
    { name: "one without a hint: zones", words: ["a>b", "b>a", "a"], zone: "a", local: [0, 2] },
    { name: "no hint for the own zone: zones", words: ["a>b", "b>b"], zone: "a", local: [0] },
    { name: "one without a hint, one without a zone: all", words: [">a", "b", "a>a"], zone: "a", local: [0, 1, 2] },
    { name: "zones", words: ["a", "b", "a"], zone: "a", local: [0, 2] },
    { name: "one without a zone", words: ["a", "", "a"], zone: "a", local: [0, 1, 2] },
    { name: "none in the own zone", words: ["b", "c"], zone: "a", local: [0, 1] },
    { name: "all in the own zone", words: ["a", "a"], zone: "a", local: [0, 1] },
    { name: "enough in the own zone", words: ["a", "b", "a"], zone: "a", min: 2, local: [0, 2] },
    { name: "too few in the own zone", words: ["a", "b", "b"], zone: "a", min: 2, local: [0, 1, 2] },
    { name: "too few hints, enough in the zone", words: ["a>b", "a>a", "b>b"], zone: "a", min: 2, local: [0, 1] },
  ];
  for (const { name, words, zone, min = 1, local } of table) {
    const endpoints = read(words);
    const got = splitByZone(endpoints, zone, min);
    assert.deepEqual(
      got.local.map((each) => endpoints.indexOf(each)),
      local,
      name,
    );
    assert.deepEqual(
      got.remote,
      endpoints.filter((each) => !got.local.includes(each)),
      name,
    );
  }
});

test("several endpoints of one backend count as one", () => {
  const twice = [endpoint("10.0.0.1:80", { id: "a", zone: "a" }), endpoint("[fd00::1]:80", { id: "a", zone: "a" })];
  const endpoints = [...twice, endpoint("10.0.0.2:80", { zone: "b" })];
  assert.equal(splitByZone(endpoints, "a", 2).remote.length, 0);
  assert.equal(splitByZone(endpoints, "a", 1).remote.length, 1);
});
