import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "./places.ts";

const forever = new AbortController().signal;

test("who comes first is served first, and as many at once as there are places", async () => {
  const places = new Places(2);
  const served: number[] = [];
  const calls = [0, 1, 2, 3].map((n) =>
    places.take(forever).then((hasPlace) => {
      assert.ok(hasPlace);
      served.push(n);
    }),
  );
  await Promise.all(calls.slice(0, 2));
  assert.deepEqual([served, places.waiting], [[0, 1], 2]);
  places.leave();
  await calls[2];
  assert.deepEqual([served, places.waiting], [[0, 1, 2], 1]);
  places.leave();
  await calls[3];
  assert.deepEqual([served, places.waiting], [[0, 1, 2, 3], 0]);
});

test("who gives up leaves the line, and the next moves up", async () => {
  const places = new Places(1);
  await places.take(forever);
  const impatient = new AbortController();
  const [second, third] = [places.take(impatient.signal), places.take(forever)];
  impatient.abort();
  assert.equal(await second, false);
  assert.equal(places.waiting, 1);
  places.leave();
  assert.equal(await third, true);
  places.leave();
  assert.equal(await places.take(forever), true, "the place came back");
});

test("who has gone before gets no place", async () => {
  const places = new Places(1);
  assert.equal(await places.take(AbortSignal.abort()), false);
  assert.equal(await places.take(forever), true);
});

test("without a limit nobody waits", async () => {
  const places = new Places(0);
  for (let n = 0; n < 1_000; n++) assert.equal(await places.take(forever), true);
  assert.equal(places.waiting, 0);
});
