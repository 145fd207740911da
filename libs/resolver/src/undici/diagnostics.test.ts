import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type TestContext, test } from "node:test";
import { closedPort, until } from "@grpc-lb/core/testing";
import { endpointAt } from "../../testing/fake-source.ts";
import { get, startHttpRig } from "../../testing/http-rig.ts";
import {
  type DispatcherConnectionMessage,
  type DispatcherEndMessage,
  type DispatcherErrorMessage,
  type DispatcherPickMessage,
  type DispatcherSnapshotMessage,
  dispatcherChannels,
} from "./index.ts";

const target = "kubernetes:///server";

/** All messages of a diagnostics channel from now until the test's end. */
function collect<Message>(t: TestContext, name: string): Message[] {
  const messages: Message[] = [];
  const listener = (message: unknown) => messages.push(message as Message);
  subscribe(name, listener);
  t.after(() => unsubscribe(name, listener));
  return messages;
}

test("snapshots, errors, picks and connections are published with the target as the user wrote it", async (t) => {
  const snapshots = collect<DispatcherSnapshotMessage>(t, dispatcherChannels.snapshot);
  const errors = collect<DispatcherErrorMessage>(t, dispatcherChannels.error);
  const picks = collect<DispatcherPickMessage>(t, dispatcherChannels.pick);
  const connections = collect<DispatcherConnectionMessage>(t, dispatcherChannels.connection);
  const ends = collect<DispatcherEndMessage>(t, dispatcherChannels.end);
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const [pod] = pods;
  const { endpoint, port } = pod;
  source.setEndpoints([endpoint]);
  await get(dispatcher);
  source.setError("unavailable", "away");
  source.setError("unavailable", "away");
  pod.serve = (_, response) => response.setHeader("connection", "close").end("a");
  await get(dispatcher);
  await until(() => connections.some(({ isOpen }) => !isOpen), "the close of a connection");
  assert.deepEqual(
    snapshots.map(({ snapshot }) => [snapshot.endpoints?.length, snapshot.error?.message]),
    [
      [1, undefined],
      [1, "away"],
    ],
  );
  assert.deepEqual(
    errors.map(({ error }) => error.message),
    ["away"],
  );
  assert.deepEqual(
    picks.map((message) => message.endpoint),
    [endpoint, endpoint],
  );
  assert.equal(connections[0]?.isOpen, true);
  for (const { address } of connections) assert.equal(address, `127.0.0.1:${port}`);
  assert.equal(connections[0]?.endpoint, endpoint);
  await Promise.all([dispatcher.close(), dispatcher.destroy()]);
  const [{ instance } = {}] = snapshots;
  assert.deepEqual(ends, [{ target, instance }], "the end is published once");
  for (const message of [...snapshots, ...errors, ...picks, ...connections]) assert.equal(message.target, target);
});

test("stats show endpoints, picks, requests in flight and backoff", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const [pod] = pods;
  assert.deepEqual(dispatcher.stats(), {
    ...{ target, subject: source.subject, endpoints: [], waiting: 0, error: undefined },
  });
  const first = get(dispatcher);
  assert.equal(dispatcher.stats().waiting, 1);
  const dead = endpointAt(await closedPort());
  let respond = () => {};
  pod.serve = (_, response) => {
    respond = () => response.end("a");
  };
  source.setEndpoints([dead, pod.endpoint]);
  await until(() => pod.seen.length === 1, "the request");
  const counts = () =>
    dispatcher.stats().endpoints.map(({ isInBackoff, picks, inFlight }) => [isInBackoff, picks, inFlight]);
  assert.deepEqual(counts(), [
    [true, 1, 0],
    [false, 1, 1],
  ]);
  respond();
  assert.equal(await first, "a");
  assert.deepEqual(counts().at(1), [false, 1, 0]);

  const aborting = new AbortController();
  const aborted = assert.rejects(get(dispatcher, { signal: aborting.signal }));
  await until(() => pod.seen.length === 2, "the second request");
  assert.deepEqual(counts().at(1), [false, 2, 1]);
  aborting.abort();
  await aborted;
  assert.deepEqual(counts().at(1), [false, 2, 0], "an aborted request has ended");
  source.setError("unavailable", "away");
  assert.equal(dispatcher.stats().error, "away");
});
