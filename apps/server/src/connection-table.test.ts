import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionTable } from "./connection-table.ts";

function createTable(max: number) {
  const removed: string[] = [];
  const table = new ConnectionTable<{ name: string }>(max, ({ name }) => removed.push(name));
  const add = (name: string) => {
    const connection = { name };
    table.add(connection);
    return connection;
  };
  return { table, removed, add };
}

test("the oldest connection without a request goes first", () => {
  const { table, removed, add } = createTable(3);
  table.use(add("client"));
  for (const name of ["a", "b", "c", "d"]) add(name);
  assert.deepEqual([removed, table.size], [["a", "b"], 3]);
});

test("when all have made requests, the one with the oldest last request goes", () => {
  const { table, removed, add } = createTable(2);
  const [first, second] = [add("first"), add("second")];
  for (const connection of [first, second, first]) table.use(connection);
  add("third");
  assert.deepEqual(removed, ["second"]);
});

test("a connection that has ended gives its place back, and a request of one that was removed has no effect", () => {
  const { table, removed, add } = createTable(1);
  table.delete(add("a"));
  const b = add("b");
  assert.deepEqual(removed, []);
  add("c");
  table.use(b);
  assert.deepEqual([removed, table.size], [["b"], 1]);
});
