/**
 * What the server sends to the page, as server-sent events: `history` once, then `state` twice a second, `point` once a second, and
 * `calls` in between. All times are of the server's clock, in milliseconds since it started.
 */

import type { VerdictWord } from "@grpc-lb/verdict";

/** A way to change the pods, which the page shows as a button. */
export interface PageAction {
  readonly name: string;
  readonly label: string;
  /** The key that does the same; one character. */
  readonly key: string;
  /** What it does, in a sentence without a full stop. */
  readonly help: string;
}

/** A pod, present or gone. */
export interface PagePod {
  readonly name: string;
  /** The letter of the pod on the page; two letters from the 27th pod on. */
  readonly letter: string;
  /** The order of arrival, from 0, by which its colour and pattern are chosen. */
  readonly index: number;
  readonly state: PodState;
  readonly node: string;
  readonly zone: string;
}

export const podStates = ["added", "ready", "unready", "slow", "frozen", "draining", "gone"] as const;
export type PodState = (typeof podStates)[number];

/** An open connection of a client that carried a call. */
export interface PageConnection {
  readonly number: number;
  readonly peer: string;
  readonly calls: number;
  /** The letters of the pods that answered its last calls. */
  readonly pods: readonly string[];
  readonly isGoingAway: boolean;
}

/** A client: one strategy. */
export interface PageClient {
  readonly name: string;
  /** The protocol and how pods are found. */
  readonly way: string;
  /** A sentence that explains what is seen. */
  readonly why: string;
  readonly calls: number;
  readonly failed: number;
  /** The reason of the last failed call; empty when none failed. */
  readonly lastError: string;
  /** Calls that succeeded, in the last ten seconds. */
  readonly callsPerSecond: number;
  /** Times of the calls that succeeded in the last ten seconds; null without such a call, or if the client reports no times. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Null when the client does not report its connections. */
  readonly connections: PageConnections | null;
  readonly verdict: PageVerdict;
}

export interface PageConnections {
  /** Those that are shown one by one. */
  readonly open: readonly PageConnection[];
  /** How many are open. */
  readonly openCount: number;
  /** All that carried a call, also those that are closed. */
  readonly opened: number;
  /** Whether each carries one call: these are not shown one by one. */
  readonly isOnePerCall: boolean;
}

/** The spread of the calls that are judged: the last ones since the pods changed. */
export interface PageVerdict {
  /** Null while there are too few calls, or only one pod. */
  readonly word: VerdictWord | null;
  readonly calls: number;
  /** How many calls a verdict needs. */
  readonly needed: number;
  /** How many pods the calls are judged among. */
  readonly pods: number;
  /** Calls by the letter of the pod; `?` for pods that are not on the page. */
  readonly perLetter: Readonly<Record<string, number>>;
}

/** Something that happened: an entry of the timeline. */
export interface PageHappening {
  readonly id: number;
  readonly atMs: number;
  readonly kind: "pod" | "endpoints" | "connection" | "goaway" | "scene" | "note";
  readonly text: string;
}

/** All that the page shows, except for the calls that travel. */
export interface PageState {
  readonly title: string;
  readonly atMs: number;
  readonly actions: readonly PageAction[];
  /** A sentence for the person at the page; empty for none. */
  readonly note: string;
  readonly pods: readonly PagePod[];
  readonly clients: readonly PageClient[];
  /** The last ones, the oldest first. */
  readonly happenings: readonly PageHappening[];
  /** Whether what sends the events has ended. */
  readonly hasEnded: boolean;
}

/** A call that has ended. */
export interface PageCall {
  /** The index of the client. */
  readonly client: number;
  /** The name of the pod that answered; null when the call failed. */
  readonly pod: string | null;
  readonly ms: number | null;
  /** The number of the connection that carried it; null when none did, or when it is not known. */
  readonly connection: number | null;
  readonly atMs: number;
}

/** A point of the chart: calls a second of each client, in the order of the clients, at a second of the server's clock. */
export interface PagePoint {
  readonly atS: number;
  readonly callsPerSecond: readonly number[];
}
