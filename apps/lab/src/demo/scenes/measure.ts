import { type BalanceRule, type CallLine, judge, type Verdict } from "@grpc-lb/verdict";
import type { Pod } from "../pods.ts";
import type { Happening } from "./pod-fleet.ts";
import type { SceneWord } from "./scene.ts";
import type { TimedLine } from "./scene-log.ts";

/** What happened in a scene, in times of the clock. */
export interface SceneHistory {
  /** When a call of each client had succeeded. */
  readonly startMs: number;
  /** From when calls count for the verdict: the last change is long enough ago. */
  readonly afterMs: number;
  readonly endMs: number;
  readonly happenings: readonly Happening[];
  /** All pods, also those that are gone. */
  readonly pods: readonly Pod[];
  /** The names of the pods that clients should call at the end. */
  readonly published: readonly string[];
}

/** A time at a pod. */
export interface PodTime {
  readonly pod: string;
  /** Undefined when there was no such call. */
  readonly ms: number | undefined;
}

/** The last call that was sent to a pod that is gone. */
export interface LastCall extends PodTime {
  /** Whether calls were still sent there at the end. */
  readonly isStillCalled: boolean;
}

/** What one client went through in a scene. */
export interface Measurement {
  readonly calls: number;
  readonly failed: number;
  /** For each new pod, from ready to the first call that it answered. */
  readonly firstCalls: readonly PodTime[];
  /** For each pod that is gone, from then to the last call that was sent there. */
  readonly lastCalls: readonly LastCall[];
  /** Successful calls a second before the first change, and after the last one. */
  readonly callsPerSecond: { readonly before: number; readonly after: number };
  /** Of the calls after the scene; undefined when none succeeded, or only one pod is left. */
  readonly verdict: Verdict | undefined;
  readonly word: SceneWord;
}

/** Measures a client by its lines alone. Those before the scene do not count, because connections were opening. */
export function measure(all: readonly TimedLine[], history: SceneHistory, rule: BalanceRule): Measurement {
  const { startMs, afterMs, endMs, happenings, pods, published } = history;
  const lines = all.filter(({ atMs }) => atMs >= startMs);
  const after = podsOf(lines.filter(({ atMs }) => atMs >= afterMs));
  const hasVerdict = after.length > 0 && new Set([...published, ...after]).size > 1;
  const verdict = hasVerdict ? judge(after, published, rule) : undefined;
  const firstChangeMs = happenings[0]?.atMs ?? afterMs;
  const before = podsOf(lines.filter(({ atMs }) => atMs < firstChangeMs));
  const calls = podsOf(lines).length;
  return {
    calls,
    failed: lines.length - calls,
    firstCalls: happenings.flatMap(({ what, pod, atMs }) => {
      return what === "ready" && pod !== undefined ? [{ pod, ms: firstCallMs(lines, pod, atMs) }] : [];
    }),
    lastCalls: goneTimes(happenings).map((gone) => lastCall(lines, gone, pods, afterMs)),
    callsPerSecond: { before: rate(before, firstChangeMs - startMs), after: rate(after, endMs - afterMs) },
    verdict,
    word: verdict?.word ?? (after.length > 0 ? "PINNED" : "NONE"),
  };
}

const podsOf = (lines: readonly TimedLine[]) => lines.flatMap(({ line }) => (line.t === "call" ? [line.pod] : []));

const rate = (calls: readonly string[], ms: number) => (ms > 0 ? (calls.length * 1000) / ms : 0);

interface Gone {
  readonly pod: string;
  readonly atMs: number;
}

/** The pods that are gone at the end. */
function goneTimes(happenings: readonly Happening[]): readonly Gone[] {
  const gone = new Map<string, Gone>();
  for (const { what, pod, atMs } of happenings) {
    if (pod === undefined) continue;
    if (what === "killed" || what === "frozen" || what === "draining") gone.set(pod, { pod, atMs });
    if (what === "recovered") gone.delete(pod);
  }
  return [...gone.values()];
}

function firstCallMs(lines: readonly TimedLine[], pod: string, readyMs: number): number | undefined {
  const first = lines.find(({ line }) => line.t === "call" && line.pod === pod);
  // The line of a client may be read before that of the server which made it ready.
  return first && Math.max(0, first.atMs - readyMs);
}

function lastCall(lines: readonly TimedLine[], gone: Gone, pods: readonly Pod[], afterMs: number): LastCall {
  const sent = lines.filter(({ line, atMs }) => isSentTo(line, gone, atMs, pods));
  const last = sent.at(-1);
  if (!last) return { pod: gone.pod, ms: undefined, isStillCalled: false };
  return { pod: gone.pod, ms: Math.max(0, last.atMs - gone.atMs), isStillCalled: last.atMs >= afterMs };
}

/**
 * Whether a call was sent to a pod that is gone. A call that failed was, when it names an address of the pod; one that names no
 * pod, as through a Service, counts for every pod that was gone by then.
 */
function isSentTo(line: CallLine, { pod, atMs: goneMs }: Gone, atMs: number, pods: readonly Pod[]): boolean {
  if (line.t === "call") return line.pod === pod;
  if (atMs < goneMs) return false;
  const named = pods.filter((each) => portsOf(each).some((port) => detailsOf(line.reason).includes(`:${port}`)));
  return named.length === 0 || named.some(({ podName }) => podName === pod);
}

const portsOf = ({ httpPort, grpcPort, aging }: Pod) => [httpPort, grpcPort, ...(aging ? [aging.grpcPort] : [])];

/** What follows the target, which may list all pods, and the status. */
const detailsOf = (reason: string) => /: [A-Z_]+: (.*)$/.exec(reason)?.[1] ?? "";
