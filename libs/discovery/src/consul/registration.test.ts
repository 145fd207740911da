import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft, closedPort, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import { type ConsulRegistrationOptions, registerInConsulIn } from "./registration.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await assertNothingLeft();
});

/** Distinguishes the pauses of the loop from the deadlines of requests, which are 5 s here. */
class LoopClock extends ManualClock {
  #lastMs = 0;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#lastMs = ms;
    return super.sleep(ms, signal);
  }

  /** Resolves when the latest wait is of `ms`. */
  paused(ms: number): Promise<void> {
    return until(() => this.#lastMs === ms, `a wait of ${ms} ms`);
  }

  /** Resolves when the only pending wait is of `ms`. */
  asleepFor(ms: number): Promise<void> {
    return until(() => this.sleeping === 1 && this.#lastMs === ms, `one pending wait, of ${ms} ms`);
  }
}

const id = "web-10.0.0.1-80";

async function start(
  { clock = new LoopClock(), ...options }: Partial<ConsulRegistrationOptions> & { clock?: LoopClock } = {},
  prepare = (_: FakeConsulAgent) => {},
) {
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  prepare(agent);
  const instance = { service: "web", address: { host: "10.0.0.1", port: 80 }, ttlMs: 30_000 };
  const common = { agent: agent.address, credentials: {}, instance };
  const registration = registerInConsulIn({ ...common, ...options }, { clock, random: () => 0.5 });
  ends.push(() => registration.close());
  const paths = () => agent.requests.map(({ path }) => path.replace("/v1/agent/", ""));
  const requested = (count: number) => agent.until(({ requests }) => requests === count);
  return { clock, agent, registration, paths, requested };
}

test("a TTL check is refreshed every 2 s, however long the TTL, and a close removes the service", async () => {
  const { clock, agent, registration, paths, requested } = await start();
  await registration.registered;
  for (let count = 1; count < 4; count++) {
    await clock.asleepFor(2_000);
    clock.advance(1_999);
    await turn();
    assert.equal(agent.counts.requests, count);
    clock.advance(1);
    await requested(count + 1);
  }
  await registration.close();
  const keep = `check/update/service:${id}`;
  assert.deepEqual(paths(), ["service/register", keep, keep, keep, `service/deregister/${id}`]);
  assert.equal(agent.requests[0]?.query.has("replace-existing-checks"), true);
  assert.deepEqual([agent.registered.size, clock.sleeping], [0, 0]);
});

test("a gRPC check begins critical, and passing when the instance is registered again, as it served a moment ago", async () => {
  const { clock, agent, registration, paths, requested } = await start({ check: { t: "grpc" } });
  await registration.registered;
  assert.equal(agent.registered.get(id)?.Check?.Status, undefined);
  agent.forget();
  await clock.asleepFor(2_000);
  clock.advance(2_000);
  await requested(3);
  await clock.asleepFor(2_000);
  assert.equal(agent.registered.get(id)?.Check?.Status, "passing");
  assert.deepEqual(paths(), ["service/register", `service/${id}`, "service/register"]);
  assert.deepEqual(registration.stats, { isRegistered: true, registrations: 2, error: undefined });
});

test("a check that has lost its TTL is registered again", async () => {
  const { clock, agent, registration, paths, requested } = await start();
  await registration.registered;
  await clock.asleepFor(2_000);
  agent.refuse(500, `CheckID "service:${id}" does not have associated TTL`, { times: 1 });
  clock.advance(2_000);
  await requested(3);
  await clock.asleepFor(2_000);
  assert.deepEqual(paths().slice(1), [`check/update/service:${id}`, "service/register"]);
});

test("a server that answers 404 to everything is not an agent, and gets requests at growing distances", async () => {
  const { clock, agent, registration, requested } = await start({}, (agent) => agent.refuse(404, "not found"));
  for (let count = 1; count < 4; count++) {
    await requested(count);
    const waitMs = 25 * 2 ** count;
    await clock.asleepFor(waitMs);
    clock.advance(waitMs - 1);
    await turn();
    assert.equal(agent.counts.requests, count);
    clock.advance(1);
  }
  assert.match(registration.stats.error ?? "", /^consul: register service web: .*: 404 Not Found: not found$/);
  assert.equal(registration.stats.isRegistered, false);
});

test("a frozen agent may carry out the registration later, so a close tries to remove it for as long as if it were listed", async () => {
  const clock = new LoopClock();
  clock.advance(100_000);
  const { agent, registration, requested } = await start({ clock }, (agent) => agent.freeze());
  await requested(1);
  let isClosed = false;
  const closing = registration.close().then(() => {
    isClosed = true;
  });
  await requested(2);
  await clock.asleep(2); // the bound, and the wait for an answer
  clock.advance(4_999);
  for (let count = 0; count < 20; count++) await turn();
  assert.equal(isClosed, false);
  agent.thaw();
  await closing;
  assert.deepEqual([agent.registered.size, clock.sleeping], [0, 0]);
});

test("an instance that no agent has received is not removed, and its close is done at once", async () => {
  const agent = { host: "127.0.0.1", port: await closedPort() };
  const { clock, registration } = await start({ agent });
  await clock.asleepFor(50);
  assert.match(registration.stats.error ?? "", /ECONNREFUSED/);
  await registration.close();
  assert.equal(clock.sleeping, 0);
});

test("a close tries for a second at least, also when there was no answer for a TTL", async () => {
  const { clock, agent, registration, requested } = await start();
  await registration.registered;
  await clock.asleepFor(2_000);
  clock.advance(30_000);
  await requested(2);
  await clock.asleepFor(2_000);
  agent.refuse(500, "No cluster leader");
  clock.advance(2_000);
  await requested(3);
  await clock.asleepFor(50);
  clock.advance(30_000); // the TTL is over
  await requested(4);
  await clock.asleepFor(100);
  const closing = registration.close();
  await requested(5);
  await clock.paused(50);
  agent.accept();
  clock.advance(999);
  await closing;
  assert.equal(agent.registered.size, 0);
});

test("a close ends in time while the agent is frozen, and may be called twice", async () => {
  const { clock, agent, registration } = await start();
  await registration.registered;
  await clock.asleepFor(2_000);
  agent.freeze();
  const closing = [registration.close(), registration.close()];
  await agent.until(({ requests }) => requests === 2);
  await clock.asleep(2); // the bound, and the wait for an answer
  clock.advance(5_000);
  await Promise.all(closing);
  assert.equal(clock.sleeping, 0);
  agent.thaw();
});
