import assert from "node:assert/strict";
import { Metadata } from "@grpc/grpc-js";
import { createRandom, messageOf, type Random } from "@grpc-lb/core";
import type { ManualClock } from "@grpc-lb/core/testing";
import type { Child } from "../src/balancer/child.ts";
import { connectivityState, type GrpcEndpoint, type PolicyJson } from "../src/grpc-js.ts";
import { endpoint, type FakeCall, FakeChannel, type FakeSubchannel } from "./fake-channel.ts";
import { turn } from "./rig.ts";

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;

/** The part of a `Probe` that the storm compares with its own books. */
export interface Inside {
  /** The child of the latest pick. */
  readonly picked: Child | undefined;
  readonly seen: ReadonlySet<Child>;
}

export interface StormOptions {
  readonly seed: number;
  readonly steps: number;
  /** Configurations of one policy, between which the storm switches. */
  readonly policies: readonly PolicyJson[];
  /** The clock that the policies were registered with. */
  readonly clock: ManualClock;
  /** Whether the policy connects to all endpoints, so that state and connections can be predicted; a parent may leave some out. */
  readonly usesAll: boolean;
  /** For a policy that counts calls. */
  readonly inside?: Inside | undefined;
}

interface Call {
  readonly fake: FakeCall;
  readonly child: Child | undefined;
  stage: "picked" | "given up" | "started";
}

/** Eight pods, each with one or two addresses of its own. */
const pods = Array.from({ length: 8 }, (_, n) => {
  const v4 = `10.0.0.${n + 1}:80`;
  return { id: `pod-${n}`, addresses: n % 3 === 2 ? [v4, `10.0.1.${n + 1}:80`] : [v4] };
});
type Pod = (typeof pods)[number];

/**
 * Applies random events to a policy, and checks its invariants after each of them:
 *
 * - a call goes to a connection that is READY, not ejected, referenced, and of an endpoint in the list;
 * - with all endpoints in use, the policy is READY exactly when one of them is, and calls wait or fail only when none is;
 * - below the panic threshold, and only there, calls go to ejected endpoints too;
 * - while the list is empty calls fail with the resolver's message;
 * - each endpoint references one connection, or one per address while it has none, and endpoints that left reference nothing;
 * - every count of calls equals the storm's.
 *
 * In every other storm a state listener closes the channel during an event. In the end nothing is referenced or counted, no timer is
 * left, and nothing more is published. The same seed gives the same storm if the policies' random source has the same seed; a failure
 * reports the seed and the latest events.
 *
 * @returns how many calls were sent: with 0 in all storms of a test, nothing was tested
 */
export async function storm(options: StormOptions): Promise<number> {
  const { seed, steps, clock, usesAll } = options;
  const world = new World(options, createRandom(seed));
  const log: string[] = [];
  try {
    const closeAt = seed % 2 === 0 ? steps / 2 : Number.POSITIVE_INFINITY;
    for (let step = 0; step < steps && !world.isClosed; step++) {
      if (step >= closeAt) world.closeAtNextState();
      log.push(await world.happen());
      await new Promise<void>((resolve) => process.nextTick(resolve)); // grpc-js connects in the next tick
      world.check(usesAll);
      world.checkCounts();
    }
    await world.end();
    world.checkCounts();
    assert.equal(clock.sleeping, 0, "timers that are left");
    return world.picks;
  } catch (cause) {
    const events = log.slice(-25).join("\n  ");
    throw new Error(`PROPERTY_SEED=${seed}, event ${log.length}: ${messageOf(cause)}\n  ${events}`, { cause });
  }
}

class World {
  readonly #channel: FakeChannel;
  readonly #policies: readonly PolicyJson[];
  readonly #clock: ManualClock;
  readonly #random: Random;
  readonly #inside: Inside | undefined;
  readonly #calls: Call[] = [];
  /** How many calls were sent. */
  picks = 0;
  readonly #usesAll: boolean;
  #policy: PolicyJson;
  #members: readonly Pod[] = [];
  #hasUpdate = false;
  /** How much had been published when the channel was closed. */
  #closedAfter: number | undefined;

  constructor({ policies, clock, inside, usesAll }: StormOptions, random: Random) {
    this.#policy = policies[0] as PolicyJson;
    this.#channel = new FakeChannel(this.#policy);
    this.#policies = policies;
    this.#usesAll = usesAll;
    this.#clock = clock;
    this.#random = random;
    this.#inside = inside;
  }

  get isClosed(): boolean {
    return this.#closedAfter !== undefined;
  }

  /** Closes the channel when it publishes its next state. */
  closeAtNextState(): void {
    this.#channel.onState = () => this.#close();
  }

  #close(): void {
    if (this.isClosed) return;
    this.#closedAfter = this.#channel.published.length;
    this.#channel.balancer.destroy();
  }

  /** Applies one event. @returns its description */
  async happen(): Promise<string> {
    const events = [
      [3, () => this.#update()],
      [6, () => this.#connect()],
      [3, () => this.#lose()],
      [2, () => this.#refuse()],
      [2, () => this.#recover()],
      [2, () => this.#eject()],
      [1, () => this.#fail()],
      [12, () => this.#pick()],
      [8, () => this.#start()],
      [6, () => this.#endCall()],
      [2, () => this.#turn()],
      [2, () => this.#wait()],
      [1, () => this.#exitIdle()],
    ] as const;
    let drawn = this.#random() * events.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, event] of events) {
      drawn -= weight;
      if (drawn < 0) return (await event()) ?? "nothing";
    }
    return "nothing";
  }

  check(usesAll: boolean): void {
    const { state } = this.#channel;
    if (!this.#hasUpdate || this.isClosed) return;
    const ready = this.#members.filter((pod) => this.#isReady(pod));
    if (ready.length === 0) assert.notEqual(state, READY, "the policy is READY, and no endpoint is");
    else if (usesAll) assert.equal(state, READY, `${ready.map(({ id }) => id)} could take calls`);
    if (this.#members.length === 0) {
      assert.equal(state, TRANSIENT_FAILURE, "calls must not wait while the list is empty");
      assert.match(this.#channel.refusal(new Metadata()) ?? "it waits", /^the list is empty$|^the resolver is gone$/);
    }
    assert.notEqual(state, IDLE, "connections are restored without a request");
    this.#checkHolds(usesAll);
  }

  checkCounts(): void {
    const inside = this.#inside;
    if (!inside) return;
    const want = new Map<Child["record"], number>();
    for (const { child, stage } of this.#calls) {
      if (child && stage !== "given up") want.set(child.record, (want.get(child.record) ?? 0) + 1);
    }
    for (const child of inside.seen) {
      assert.equal(child.inFlight, want.get(child.record) ?? 0, `calls in flight to ${child.info.id}`);
    }
  }

  async end(): Promise<void> {
    for (const call of this.#calls.splice(0)) {
      if (call.stage !== "started" && this.#random() < 0.5) call.fake.start();
      else if (call.stage !== "started") continue; // cancelled before it began
      call.fake.end();
    }
    this.#close();
    assert.deepEqual(this.#channel.held, {}, "connections that are referenced after destroy");
    assert.equal(this.#clock.sleeping, 0, "timers that are left after destroy");
    const { reresolutions } = this.#channel;
    for (const subchannel of this.#channel.subchannels.values()) {
      for (const state of [CONNECTING, READY, IDLE, TRANSIENT_FAILURE]) subchannel.become(state);
      subchannel.setHealthy(false);
    }
    this.#clock.advance(3_600_000);
    await turn();
    assert.equal(this.#channel.published.length, this.#closedAfter, "published after destroy");
    assert.equal(this.#channel.reresolutions, reresolutions, "requested a resolution after destroy");
  }

  /** Random pods in random order with random weights, some twice or in parts, sometimes with another configuration. */
  #update(): string {
    const share = this.#random() < 0.1 ? 0 : 0.6;
    const members = shuffle(pods, this.#random).filter(() => this.#random() < share);
    const endpoints = members.flatMap((pod) => this.#endpointsOf(pod));
    const policy = this.#random() < 0.3 ? this.#draw(this.#policies) : undefined;
    if (policy) this.#policy = policy;
    const taken = this.#channel.update(shuffle(endpoints, this.#random), policy, {}, "the list is empty");
    assert.equal(taken, true, "an update that is not accepted makes calls hang");
    this.#members = members;
    this.#hasUpdate = true;
    return `update ${members.map(({ id }) => id)} ${policy ? JSON.stringify(policy) : ""}`;
  }

  #endpointsOf({ id, addresses }: Pod): GrpcEndpoint[] {
    const info = { id, weight: Math.floor(this.#random() * 4), zone: this.#draw(["a", "b", "c"]) ?? "a" };
    const parts = addresses.map((address) => endpoint(address, info));
    if (this.#random() < 0.3) return [...parts, ...parts];
    const whole = { ...parts[0], addresses: parts.flatMap(({ addresses }) => addresses) } as GrpcEndpoint;
    return this.#random() < 0.5 ? parts : [whole];
  }

  #connect = () => this.#become(READY, CONNECTING, IDLE);
  #lose = () => this.#become(IDLE, READY);
  #refuse = () => this.#become(TRANSIENT_FAILURE, CONNECTING);
  #recover = () => this.#become(IDLE, TRANSIENT_FAILURE);

  #become(state: connectivityState, ...from: readonly connectivityState[]): string | undefined {
    const subchannel = this.#draw([...this.#channel.subchannels.values()].filter((one) => from.includes(one.state)));
    subchannel?.become(state, "broken by the storm");
    return subchannel && `${subchannel.address} becomes ${connectivityState[state]}`;
  }

  #eject(): string | undefined {
    const pod = this.#draw(pods);
    const isHealthy = this.#random() < 0.5;
    // All addresses of an endpoint at once, as outlier_detection does; unknown ones start healthy.
    const known = pod?.addresses.map((address) => this.#channel.subchannels.get(address)) ?? [];
    if (known.includes(undefined)) return undefined;
    for (const subchannel of known) subchannel?.setHealthy(isHealthy);
    return `${pod?.id} is ${isHealthy ? "taken back" : "ejected"}`;
  }

  #fail(): string {
    this.#channel.fail("the resolver is gone");
    return "the resolver fails";
  }

  #pick(): string {
    const metadata = new Metadata();
    metadata.set("x-key", String(Math.floor(this.#random() * 20)));
    const fake = this.#channel.pick(metadata);
    if (!fake) {
      assert.notEqual(this.#channel.state, READY, "a call waits or fails, and the policy is READY");
      return "a call waits or fails";
    }
    const pod = this.#members.find(({ addresses }) => addresses.includes(fake.address));
    const subchannel = this.#channel.at(fake.address);
    assert.ok(pod, `a call goes to ${fake.address}, which is not in the list any more`);
    assert.equal(connectivityState[subchannel.state], "READY", `the state of ${fake.address}, to which a call goes`);
    assert.ok(subchannel.isHealthy() || this.#isPanic(), `a call goes to ${fake.address}, which is ejected`);
    assert.ok(subchannel.refs > 0, `a call goes to ${fake.address}, which is not referenced`);
    this.picks += 1;
    this.#calls.push({ fake, child: this.#inside?.picked, stage: "picked" });
    return `a call goes to ${fake.address}`;
  }

  #start(): string | undefined {
    const call = this.#draw(this.#calls.filter(({ stage }) => stage !== "started"));
    if (!call) return undefined;
    call.stage = "started";
    call.fake.start();
    return `the call to ${call.fake.address} starts`;
  }

  #endCall(): string | undefined {
    const call = this.#draw(this.#calls);
    if (!call) return undefined;
    if (call.stage === "picked") return undefined; // it is given up when the turn ends
    this.#calls.splice(this.#calls.indexOf(call), 1);
    if (call.stage === "started") call.fake.end(this.#draw([0, 4, 14]));
    return `the call to ${call.fake.address} ends`;
  }

  async #turn(): Promise<string> {
    await turn();
    for (const call of this.#calls) if (call.stage === "picked") call.stage = "given up";
    return "a turn";
  }

  async #wait(): Promise<string> {
    const ms = this.#random() * 5_000;
    this.#clock.advance(ms);
    await Promise.resolve();
    return `${Math.round(ms)} ms pass`;
  }

  #exitIdle(): string {
    if (this.#hasUpdate) this.#channel.balancer.exitIdle();
    return "a request to connect";
  }

  #isReady({ addresses }: Pod): boolean {
    const isPanic = this.#isPanic();
    return this.#known(addresses).some((one) => one.state === READY && (isPanic || one.isHealthy()));
  }

  /** Whether calls go to ejected endpoints too; a parent policy applies a threshold to each part of the endpoints. */
  #isPanic(): boolean {
    const threshold = panicThresholdOf(this.#policy);
    if (!this.#usesAll) return threshold > 0;
    const isReady = ({ addresses }: Pod) =>
      this.#known(addresses).some((one) => one.state === READY && one.isHealthy());
    return this.#members.filter(isReady).length * 100 < threshold * this.#members.length;
  }

  #checkHolds(usesAll: boolean): void {
    const { held } = this.#channel;
    for (const pod of pods) {
      const holds = pod.addresses.map((address) => held[address] ?? 0);
      const total = holds.reduce((sum, refs) => sum + refs, 0);
      const isThere = this.#members.includes(pod);
      const isConnected = this.#known(pod.addresses).some(({ state }) => state === READY);
      if (isThere && !usesAll) continue; // a parent may move one between children, which reference it both meanwhile
      const want = !isThere ? 0 : isConnected ? 1 : pod.addresses.length;
      assert.equal(total, want, `references to connections of ${pod.id}`);
    }
  }

  #known(addresses: readonly string[]): FakeSubchannel[] {
    return addresses.flatMap((address) => this.#channel.subchannels.get(address) ?? []);
  }

  #draw<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }
}

/** The threshold of the policy, or of its child policy. */
function panicThresholdOf(policy: PolicyJson): number {
  const [config] = Object.values(policy) as { panicThreshold?: number; childPolicy?: PolicyJson[] }[];
  return config?.panicThreshold ?? (config?.childPolicy?.[0] ? panicThresholdOf(config.childPolicy[0]) : 0);
}

function shuffle<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
