import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { createSource, type Snapshot } from "@grpc-lb/discovery";
import { startControlPlane } from "../../testing/control-plane.ts";
import { fakeEndpoint } from "../../testing/fake-sources.ts";

afterEach(assertNothingLeft);

const [a, b] = ["static:///10.0.0.1:1", "static:///10.0.0.1:2"] as const;
const hostsOf = (snapshot: Snapshot | undefined) =>
  snapshot?.endpoints?.map(({ addresses: [one] }) => one?.host).join();

for (const protocol of ["delta", "sotw"] as const) {
  test(`a control plane that starts while a registry is away takes nothing from an xds:// source (${protocol})`, async () => {
    const services = {
      one: { target: a },
      both: { sources: [{ target: a }, { target: b }] },
      other: { target: `${a}0` },
    };
    // What a control plane lacks after a restart is kept for a while by the source, so that each answer here has more than before.
    const answer = async ({ sources }: Awaited<ReturnType<typeof startControlPlane>>, ...hosts: string[]) => {
      await until(() => sources.running.length === 3, "the sources run");
      sources.answer(`${a}0`, ...hosts);
    };
    const first = await startControlPlane(services);
    await answer(first, "10.0.0.9");
    for (const target of [a, b]) first.sources.answer(target, target === a ? "10.0.0.1" : "10.0.0.2");
    const latest = new Map<string, Snapshot>();
    const errors: string[] = [];
    const subscriptions = Object.keys(services).map((name) =>
      createSource(`xds://127.0.0.1:${first.port}/${name}?protocol=${protocol}`).subscribe((snapshot) => {
        latest.set(name, snapshot);
        if (snapshot.error?.code === "notFound") errors.push(snapshot.error.message);
      }),
    );
    await until(() => hostsOf(latest.get("both")) === "10.0.0.1,10.0.0.2", "the endpoints");
    await first.stop();

    const second = await startControlPlane(services, { port: first.port, syncTimeoutMs: 50 });
    await answer(second, "10.0.0.8", "10.0.0.9");
    second.sources.answer(b, "10.0.0.2", "10.0.0.3");
    await until(() => hostsOf(latest.get("other")) === "10.0.0.8,10.0.0.9", "the answer of the next control plane");
    assert.deepEqual([hostsOf(latest.get("one")), hostsOf(latest.get("both"))], ["10.0.0.1", "10.0.0.1,10.0.0.2"]);
    second.sources.answer(a, "10.0.0.1", "10.0.0.4");
    await until(() => hostsOf(latest.get("one")) === "10.0.0.1,10.0.0.4", "the late answer");
    await until(() => hostsOf(latest.get("both")) === "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4", "that of all sources");
    assert.deepEqual(errors, []);
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    await second.stop();
  });
}

test("an xds:// source has what the source of the control plane knows of an endpoint", async () => {
  const controlPlane = await startControlPlane({ one: { target: a } });
  await until(() => controlPlane.sources.running.length === 1, "the source runs");
  const known = {
    zone: "a",
    nodeName: "node-1",
    forZones: ["a", "b"],
    metadata: { podName: "server-1", region: "eu-1" },
  };
  controlPlane.sources.answer(a, fakeEndpoint("10.0.0.1", known));
  let latest: Snapshot | undefined;
  const subscription = createSource(`xds://127.0.0.1:${controlPlane.port}/one`).subscribe((snapshot) => {
    latest = snapshot;
  });
  await until(() => latest?.endpoints?.length === 1, "the endpoint");
  assert.deepEqual(latest?.endpoints, [fakeEndpoint("10.0.0.1", known)]);
  await subscription.close();
  await controlPlane.stop();
});

test("an xds:// source of a split service gets the endpoints of its parts by their weights, as the split and the parts change", async () => {
  const parts = { v1: { target: a }, v2: { target: b } };
  const plane = await startControlPlane({ ...parts, canary: { split: { v1: 90, v2: 10 } } });
  let latest: Snapshot | undefined;
  const subscription = createSource(`xds://127.0.0.1:${plane.port}/canary`).subscribe((snapshot) => {
    latest = snapshot;
  });
  /** The share of each part, in percent; the endpoints of v2 are 10.0.2.x. */
  const shares = () => {
    const weights = (latest?.endpoints ?? []).map(({ addresses: [one], weight }) => [one?.host ?? "", weight] as const);
    const sumOf = (prefix: string) =>
      weights.reduce((sum, [host, weight]) => sum + (host.startsWith(prefix) ? weight : 0), 0);
    const total = sumOf("");
    return [weights.length, Math.round((100 * sumOf("10.0.1.")) / total), Math.round((100 * sumOf("10.0.2.")) / total)];
  };
  const become = (want: readonly number[]) => until(() => shares().join() === want.join(), `${want}`);
  await until(() => plane.sources.running.length === 2, "the sources run");
  plane.sources.answer(a, "10.0.1.1", "10.0.1.2", "10.0.1.3");
  await until(() => plane.clients().length === 1, "the client");
  assert.equal(latest?.endpoints, undefined); // never a part
  plane.sources.answer(b, "10.0.2.1");
  await become([4, 90, 10]);
  plane.sources.answer(b, "10.0.2.1", "10.0.2.2");
  await become([5, 90, 10]);
  plane.serve({ ...parts, canary: { split: { v1: 50, v2: 50 } } });
  await become([5, 50, 50]);
  plane.serve({ ...parts, canary: { split: { v1: 0, v2: 1 } } });
  await become([2, 0, 100]);
  assert.deepEqual(
    plane.clients().map(({ group }) => group),
    ["source"],
  );
  await subscription.close();
  await plane.stop();
});
