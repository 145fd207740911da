import assert from "node:assert/strict";
import { Metadata } from "@grpc/grpc-js";
import type { ManualClock } from "@grpc-lb/core/testing";
import { chiSquare, chiSquareTail } from "@grpc-lb/verdict";
import { type GrpcEndpoint, type PolicyJson, parsePolicy } from "../src/grpc-js.ts";
import { endpoint, type FakeCall, FakeChannel } from "./fake-channel.ts";

/** The endpoints `10.0.0.1:80`, `10.0.0.2:80` and so on, with what discovery would attach to each, by index. */
export function endpoints(
  count: number,
  infoOf: (place: number) => Parameters<typeof endpoint>[1] = () => ({}),
): GrpcEndpoint[] {
  return Array.from({ length: count }, (_, i) => endpoint(`10.0.${i >> 8}.${(i & 255) + 1}:80`, infoOf(i)));
}

/** A channel that is connected to all of these endpoints. */
export function openChannel(policy: PolicyJson, all: readonly GrpcEndpoint[]): FakeChannel {
  const channel = new FakeChannel(policy);
  channel.update(all);
  channel.connect();
  return channel;
}

/** Closes a channel and proves that it references no connection and has no timer. */
export function closeChannel(channel: FakeChannel, clock: ManualClock): void {
  channel.balancer.destroy();
  assert.deepEqual(channel.held, {}, "connections that are held after destroy");
  assert.equal(clock.sleeping, 0, "timers after destroy");
}

/** Counts sequential calls by address. */
export function spread(channel: FakeChannel, calls: number, metadata = new Metadata()): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < calls; n++) {
    const call = take(channel, metadata);
    call.end();
    counts[call.address] = (counts[call.address] ?? 0) + 1;
  }
  return counts;
}

/** Picks and starts a call. @throws AssertionError when the call waits or fails */
export function take(channel: FakeChannel, metadata = new Metadata()): FakeCall {
  const call = channel.pick(metadata);
  if (!call) assert.fail(`want a call, got ${channel.refusal(metadata) ?? "one that waits"}`); // `refusal` picks too
  call.start();
  return call;
}

/** Fails when the probability of such counts with these shares is below 0.001; an address with share 0 must have no calls. */
export function assertShares(counts: Readonly<Record<string, number>>, shares: Readonly<Record<string, number>>): void {
  const wanted = Object.keys(shares).filter((address) => shares[address] !== 0);
  assert.deepEqual(Object.keys(counts).sort(), [...wanted].sort(), "addresses with calls");
  const sum = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((a, b) => a + b, 0);
  const scale = sum(counts) / sum(shares);
  const got = wanted.map((address) => counts[address] ?? 0);
  const expected = wanted.map((address) => (shares[address] ?? 0) * scale);
  const p = wanted.length === 1 ? 1 : chiSquareTail(chiSquare(got, expected), wanted.length - 1);
  assert.ok(p > 0.001, `want ${expected.map(Math.round)} with p > 0.001, got ${got} with p = ${p}`);
}

/** Asserts that each configuration is refused with its message. */
export function assertRefused(policy: string, table: readonly (readonly [config: object, message: string])[]): void {
  for (const [config, message] of table) {
    assert.throws(() => parsePolicy({ [policy]: config }), { message: `${policy}: ${message}` });
  }
}

/** The response of a server: after how many milliseconds and with which status; undefined for never. */
export type Answers = (address: string) => { readonly ms: number; readonly status?: number } | undefined;

interface Pending {
  readonly dueMs: number;
  readonly call: FakeCall;
  readonly status: number;
}

/** Keeps `concurrency` calls in flight until `calls` have started, and moves the clock. Some calls may never end. */
export class ClosedLoop {
  /** Started calls, by address; may be cleared. */
  readonly started: Record<string, number> = {};
  /** Calls without a response. */
  readonly frozen: FakeCall[] = [];
  #pending: readonly Pending[] = [];
  readonly #channel: FakeChannel;
  readonly #clock: ManualClock;

  constructor(channel: FakeChannel, clock: ManualClock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  run({ calls, concurrency, answers }: { calls: number; concurrency: number; answers: Answers }): void {
    for (let left = calls; left > 0; ) {
      for (; left > 0 && this.#pending.length + this.frozen.length < concurrency; left--) this.#start(answers);
      if (!this.#endNext()) return;
    }
    while (this.#endNext()) {
      // end all calls that have a response
    }
  }

  #start(answers: Answers): void {
    const call = take(this.#channel);
    this.started[call.address] = (this.started[call.address] ?? 0) + 1;
    const answer = answers(call.address);
    if (!answer) this.frozen.push(call);
    else {
      const pending = { dueMs: this.#clock.now() + answer.ms, call, status: answer.status ?? 0 };
      this.#pending = [...this.#pending, pending];
    }
  }

  #endNext(): boolean {
    const [head, ...rest] = this.#pending;
    if (!head) return false;
    const next = rest.reduce((first, entry) => (first.dueMs <= entry.dueMs ? first : entry), head);
    this.#pending = this.#pending.filter((entry) => entry !== next);
    this.#clock.advance(Math.max(0, next.dueMs - this.#clock.now()));
    next.call.end(next.status);
    return true;
  }
}
