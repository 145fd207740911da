import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSubchannel } from "../../../testing/fake-channel.ts";
import { connectivityState, type Subchannel } from "../../grpc-js.ts";
import { WatchedSubchannel } from "./watched-subchannel.ts";

const { CONNECTING, READY } = connectivityState;
type Listener = Parameters<Subchannel["addConnectivityStateListener"]>[0];

/** A subchannel that counts its listeners, and the events of its watcher. */
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
  const events: string[] = [];
  const subchannel = new WatchedSubchannel(fake as unknown as Subchannel, "10.0.0.1:80", {
    onHeld: () => events.push("held"),
    onState: (_, state) => events.push(connectivityState[state]),
    onChanged: () => events.push("changed"),
    onReleased: () => events.push("released"),
  });
  return { fake, listeners, events, subchannel };
}

test("it reports its state from the first reference to the last, and leaves no listener", () => {
  const { fake, listeners, events, subchannel } = watch();
  fake.become(CONNECTING);
  assert.deepEqual([events, listeners.size], [[], 0]);
  subchannel.ref();
  subchannel.ref();
  assert.equal(listeners.size, 2);
  fake.become(READY);
  fake.setHealthy(false);
  subchannel.unref();
  fake.become(CONNECTING);
  subchannel.unref();
  fake.become(READY);
  assert.deepEqual(events, ["held", "READY", "changed", "changed", "CONNECTING", "changed", "released"]);
  assert.deepEqual([fake.refs, listeners.size], [0, 0]);
});

test("states reach the wrapper's listeners after onState and before onChanged, with the wrapper as the subchannel", () => {
  const { fake, listeners, events, subchannel } = watch();
  const seen: unknown[] = [];
  const listener: Listener = (which, _, state) => {
    seen.push(which);
    events.push(`listener ${connectivityState[state]}`);
  };
  subchannel.addConnectivityStateListener(listener);
  fake.become(READY);
  assert.deepEqual(events, ["READY", "listener READY", "changed"]);
  assert.deepEqual(seen, [subchannel]);
  subchannel.removeConnectivityStateListener(listener);
  assert.equal(listeners.size, 0);
});

test("a wrapper equals its subchannel, and another wrapper of it", () => {
  const { fake, subchannel } = watch();
  const inner = fake as unknown as Subchannel;
  const { events: _, ...other } = watch();
  assert.equal(subchannel.realSubchannelEquals(inner), true);
  assert.equal(subchannel.realSubchannelEquals(new WatchedSubchannel(inner, "", other as never)), true);
  assert.equal(subchannel.realSubchannelEquals(other.subchannel), false);
});
