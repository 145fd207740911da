import assert from "node:assert/strict";
import { test } from "node:test";
import { connectivityState } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { noWaits } from "../../testing/no-waits.ts";
import { call, failure, type PodClient, Rig, until } from "../../testing/rig.ts";
import { policyNames, registerPoliciesIn } from "../registration/register.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

/** Something to wait for in each policy that can wait, so that it would be seen if it went on. */
const configs: Readonly<Record<string, object>> = {
  weighted_random: { slowStart: { window: "3600s" } },
  least_request: { slowStart: { window: "3600s" } },
  peak_ewma: { slowStart: { window: "3600s" } },
  locality: { zone: "a", keepRemoteConnected: true },
  subset: { subsetSize: 3 },
};

/** The shortest that grpc-js takes. */
const idleMs = 1_000;

/** A client of each policy. */
function clientsOf(rig: Rig, options: object = {}): Map<string, PodClient> {
  return new Map(policyNames.map((name) => [name, rig.client({ [name]: configs[name] ?? {} }, options)]));
}

async function become(client: PodClient, wanted: connectivityState): Promise<void> {
  const channel = client.getChannel();
  const deadline = Date.now() + 20_000;
  for (let state = channel.getConnectivityState(false); state !== wanted; state = channel.getConnectivityState(false)) {
    await new Promise<void>((resolve, reject) =>
      channel.watchConnectivityState(state, deadline, (error) => (error ? reject(error) : resolve())),
    );
  }
}

/** What each client's call gives, by policy. */
async function outcome(
  clients: ReadonlyMap<string, PodClient>,
  ask: (client: PodClient) => Promise<string>,
): Promise<Record<string, string>> {
  const answers = [...clients].map(async ([name, client]) => [name, await ask(client)] as const);
  return Object.fromEntries(await Promise.all(answers));
}

const same = (answer: string) => Object.fromEntries(policyNames.map((name) => [name, answer]));

test("each policy works again after an idle channel, with the current endpoints", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.publish([a]);
  const clients = clientsOf(rig, { "grpc.client_idle_timeout_ms": idleMs });
  const allIdle = () => Promise.all([...clients.values()].map((client) => become(client, connectivityState.IDLE)));
  assert.deepEqual(await outcome(clients, call), same("a"));
  assert.notEqual(clock.sleeping, 0, "some wait for something");
  await allIdle();
  assert.equal(clock.sleeping, 0, "an idle channel waits for nothing");
  rig.publish([b]);
  await a.drain();
  assert.deepEqual(await outcome(clients, call), same("b"));
  rig.publish([], { note: "scaled to zero" });
  assert.deepEqual(await outcome(clients, failure), same("UNAVAILABLE: scaled to zero"));
});

test("with each policy, a client that is closed when it becomes ready leaves nothing open", async (t) => {
  const rig = new Rig(t);
  const servers = await rig.start("a", "b");
  rig.publish(servers);
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
  const policies = policyNames.map((name) => ({ [name]: configs[name] ?? {} }));
  // One after the other: of many at once grpc-js leaves connections behind with its own policies, too.
  for (const policy of [...policies, { weighted_round_robin: { enableOobLoadReport: true } }]) {
    const client = rig.client(policy);
    await new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 20_000, (error) => {
        client.close();
        if (error) reject(error);
        else resolve();
      }),
    );
    assert.equal(clock.sleeping, 0, `waits that ${JSON.stringify(policy)} has left`);
    await until(() => sockets() === 0, `no connection of ${JSON.stringify(policy)} is left`);
  }
  for (const { loads } of servers) assert.deepEqual(loads.periodsMs, [], "no stream of reports was requested");
});
