import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSubchannel } from "../../../testing/fake-channel.ts";
import { connectivityState, type Subchannel } from "../../grpc-js.ts";
import { WatchedSubchannel } from "./watched-subchannel.ts";

const { CONNECTING, READY } = connectivityState;
type Listener = Parameters<Subchannel["addConnectivityStateListener"]>[0];

/** A subchannel that counts who listens, and what its watcher is told. */
function watch() {
  const fake = new FakeSubchannel("10.0.0.1:80");
  const listeners = new Set<unknown>();
  for (const kind of ["ConnectivityStateListener", "HealthStateWatcher"] as const) {
    const add = fake[`add${kind}`] as (listener: unknown) => void;
    const remove = fake[`remove${kind}`] as (listener: unknown) => void;
    Object.assign(fake, {
      [`add${kind}`]: (listener: unknown) => {
        listeners.add(listener);
        add(listener);
      },
      [`remove${kind}`]: (listener: unknown) => {
        listeners.delete(listener);
        remove(listener);
      },
    });
  }
  const told: string[] = [];
  const subchannel = new WatchedSubchannel(fake as unknown as Subchannel, "10.0.0.1:80", {
    onHeld: () => told.push("held"),
    onState: (_, state) => told.push(connectivityState[state]),
    onChanged: () => told.push("changed"),
    onReleased: () => told.push("released"),
  });
  return { fake, listeners, told, subchannel };
}

test("it reports its state from the first reference to the last, and leaves no listener", () => {
  const { fake, listeners, told, subchannel } = watch();
  fake.become(CONNECTING);
  assert.deepEqual([told, listeners.size], [[], 0]);
  subchannel.ref();
  subchannel.ref();
  assert.equal(listeners.size, 2);
  fake.become(READY);
  fake.setHealthy(false);
  subchannel.unref();
  fake.become(CONNECTING);
  subchannel.unref();
  fake.become(READY);
  assert.deepEqual(told, ["held", "READY", "changed", "changed", "CONNECTING", "changed", "released"]);
  assert.deepEqual([fake.refs, listeners.size], [0, 0]);
});

test("states reach the wrapper's listeners after onState and before onChanged, with the wrapper as the subchannel", () => {
  const { fake, listeners, told, subchannel } = watch();
  const seen: unknown[] = [];
  const listener: Listener = (which, _, state) => {
    seen.push(which);
    told.push(`listener ${connectivityState[state]}`);
  };
  subchannel.addConnectivityStateListener(listener);
  fake.become(READY);
  assert.deepEqual(told, ["READY", "listener READY", "changed"]);
  assert.deepEqual(seen, [subchannel]);
  subchannel.removeConnectivityStateListener(listener);
  assert.equal(listeners.size, 0);
});

test("a wrapper equals its subchannel, and another wrapper of it", () => {
  const { fake, subchannel } = watch();
  const inner = fake as unknown as Subchannel;
  const { told: _, ...other } = watch();
  assert.equal(subchannel.realSubchannelEquals(inner), true);
  assert.equal(subchannel.realSubchannelEquals(new WatchedSubchannel(inner, "", other as never)), true);
  assert.equal(subchannel.realSubchannelEquals(other.subchannel), false);
});
