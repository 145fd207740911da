import assert from "node:assert/strict";
import { test } from "node:test";
import { findMismatch } from "./shape.ts";

const a = "server-549fd9df7f-b9995";
const b = "server-549fd9df7f-kxxjq";
const [x, y] = ["server-77459486b6-6cnck", "server-77459486b6-vdlnz"];

for (const [behaviour, expected, output] of [
  ["the same text matches", "nothing is left", "nothing is left\n"],
  ["spaces count as one, and empty lines do not count", "NAME   READY\n\n  a  b", " NAME READY \n\n\na      b\n\n"],
  ["colours do not count", "BALANCED", "\u001b[32mBALANCED\u001b[0m"],
  ["a number stands for a number", "17 calls, 1.46 MB", "5 calls, 12 MB"],
  ["0 stands for 0", "0 failed, 0.0 %", "0 failed, 0.00 %"],
  ["a time stands for a time of another unit", "after 1.2 s, AGE 2m30s, took 5s", "after 300 ms, AGE 4d, took 0s"],
  [
    "a time of the day stands for another one, whatever in it is 0",
    '"2026-11-27T05:51:52.450Z", at 05:51:52',
    '"2027-01-01T18:00:00.000Z", at 00:00:07',
  ],
  ["… stands for any text in a line", "loading … into …", "loading a:1 b:2 into kind"],
  ["… alone in a line stands for any lines", "a\n…\nb", "a\nx\ny\nb"],
  ["… alone in a line stands for no line too", "a\n…\nb", "a\nb"],
  ["the name of a pod stands for another one of the same Deployment", `#1: ${a}`, `#7: ${x}`],
  ["the same name stays the same, and another one another", `${a} ${b} ${a}`, `${x} ${y} ${x}`],
  ["an address stands for another one", "10.0.0.1:80 → 10.0.1.7:8080", "10.200.3.4:80 → 10.1.9.9:30051"],
  [
    "the name of an EndpointSlice and of a ReplicaSet are names",
    "server-x7k2p server-549fd9df7f",
    "server-bb9wz server-7d95c8d4b5",
  ],
] as const) {
  test(behaviour, () => assert.equal(findMismatch(expected, output), undefined));
}

for (const [behaviour, expected, output, line, got] of [
  ["another word is a mismatch", "a\nverdict PINNED", "a\nverdict BALANCED", 1, "verdict BALANCED"],
  ["0 does not stand for another number", "0 failed", "3 failed", 0, "3 failed"],
  ["0 does not stand for a number that begins with 0", "0 failed", "0.5 failed", 0, "0.5 failed"],
  ["another number does not stand for 0", "3 failed", "0 failed", 0, "0 failed"],
  ["a time of the day does not stand for a number", "at 05:51:52", "at 55152", 0, "at 55152"],
  ["a number does not stand for a word", "3 pods", "no pods", 0, "no pods"],
  ["a line too many is a mismatch at the end", "a", "a\nb", 1, "b"],
  ["a line that is missing has got nothing", "a\nb", "a", 1, ""],
  ["two names where the page has one", `${a}\n${a}`, `${x}\n${y}`, 1, y],
  ["one name where the page has two", `${a}\n${b}`, `${x}\n${x}`, 1, x],
  ["one address where the page has two", "10.0.0.1 10.0.0.2", "10.1.0.5 10.1.0.5", 0, "10.1.0.5 10.1.0.5"],
  [
    "a pod of another Deployment is another name",
    `#1: ${a}`,
    "#1: client-grpc-549fd9df7f-b9995",
    0,
    "#1: client-grpc-549fd9df7f-b9995",
  ],
  ["… does not reach over the end of its line", "a … d", "a b\nc d", 0, "a b"],
  ["a regular expression in the page is text", "a.*(b)", "abbb", 0, "abbb"],
] as const) {
  test(`mismatch: ${behaviour}`, () => {
    const found = findMismatch(expected, output);
    assert.deepEqual([found?.line, found?.got], [line, got]);
  });
}
