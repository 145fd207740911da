import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf } from "./message-of.ts";

test("the message of an error, its name if it has none, and the text of anything else", () => {
  const cases: readonly (readonly [thrown: unknown, message: string])[] = [
    [new Error("no route"), "no route"],
    [new RangeError(), "RangeError"],
    [new AggregateError([new Error("refused ::1"), new Error("refused 127.0.0.1")]), "refused ::1; refused 127.0.0.1"],
    [new AggregateError([new Error("refused")], "no address"), "no address"],
    [new AggregateError([]), "AggregateError"],
    ["plain text", "plain text"],
    [undefined, "undefined"],
    [null, "null"],
    [{ message: "not an Error" }, "[object Object]"],
  ];
  for (const [thrown, message] of cases) assert.equal(messageOf(thrown), message);
});

test("a value that cannot be written as text has a message too", () => {
  const throwing = {
    toString() {
      throw new Error("no text");
    },
  };
  for (const thrown of [Object.create(null), throwing]) assert.equal(messageOf(thrown), "[object Object]");
});
