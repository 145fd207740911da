import type { CallLine, VerdictWord } from "@grpc-lb/verdict";
import { bar, type Line, printable, type Span, span, widthOf } from "../../terminal/line.ts";
import type { Strategy } from "../strategies.ts";

/** The calls of one client so far. */
export interface BoardColumn {
  readonly strategy: Strategy;
  readonly tail: readonly CallLine[];
  /** Calls per pod after the warm-up, which are those that are judged. */
  readonly perPod: ReadonlyMap<string, number>;
  readonly errors: number;
}

/** The state of a run. */
export type Progress =
  /** Each client has made a call. */
  | { readonly t: "running"; readonly elapsedMs: number; readonly durationMs: number }
  /** Starting, or running without a planned end; the text is shown. */
  | { readonly t: "note"; readonly text: string }
  | { readonly t: "ended"; readonly words: ReadonlyMap<string, VerdictWord> };

/** The content of the live board. */
export interface Board {
  /** The title and a sentence below it. Default: what the clients and pods are. */
  readonly title?: readonly [string, string];
  readonly pods: readonly string[];
  /** Pods that are not shown but keep their colour. Default: none. */
  readonly hidden?: ReadonlySet<string>;
  readonly columns: readonly BoardColumn[];
  readonly progress: Progress;
  /** The number of calls that a full bar stands for. */
  readonly fullBarCalls: number;
}

/** What a board says until each client has called. */
export function describeStart(isServing: boolean, hasCalled: readonly boolean[]): string {
  if (!isServing) return "starting servers …";
  return `starting clients … ${hasCalled.filter(Boolean).length} of ${hasCalled.length} have called`;
}

/** PINNED is red also where it is the expected verdict, because it is the problem that this project solves. */
export const verdictTones = { BALANCED: "good", PINNED: "bad", SKEWED: "warning" } as const;

/** The cells between blocks that are side by side. */
export const gap = 2;
/** The cells of a pod's count, at the end of its bar. */
export const countWidth = 4;

/** The text next to a client's name: its state, or else its last call when that fits and is not shown elsewhere. */
export function renderStatus(column: BoardColumn, board: Board, tailLines: number, width: number): Line {
  const state = renderState(column, board);
  const last = column.tail.at(-1);
  if (!last || tailLines > 0 || widthOf(state) > 0) return state;
  const call = renderCall(last, board.pods);
  return column.strategy.name.length + 1 + widthOf(call) <= width ? call : state;
}

/** The number of failed calls, and at the end the verdict. */
function renderState({ strategy, errors }: BoardColumn, { progress }: Board): Line {
  const word = progress.t === "ended" ? progress.words.get(strategy.name) : undefined;
  const parts: Span[] = [];
  if (errors > 0) parts.push(span(`${errors} failed`, "bad"));
  if (word) parts.push(span(word, verdictTones[word]));
  return parts.flatMap((part, i) => (i > 0 ? [span(" "), part] : [part]));
}

export function renderTail({ tail }: BoardColumn, pods: readonly string[], count: number): Line[] {
  const last = count === 0 ? [] : tail.slice(-count);
  return Array.from({ length: count }, (_, i) => {
    const line = last[i];
    return line ? renderCall(line, pods) : [];
  });
}

/** A call as the client printed it. */
export function renderCall(line: CallLine, pods: readonly string[]): Line {
  if (line.t === "error") return [span(`Error: ${printable(line.reason)}`, "bad")];
  return [span(`#${line.number}: `, "faint"), podSpan(line.pod, line.pod, pods)];
}

/** The pods that the board shows. */
export const shownPods = ({ pods, hidden }: Board): readonly string[] => pods.filter((pod) => !hidden?.has(pod));

export function renderBars({ perPod }: BoardColumn, board: Board, width: number): Line[] {
  const { pods, fullBarCalls } = board;
  const nameWidth = Math.max(...pods.map((pod) => pod.length));
  const barWidth = width - nameWidth - countWidth - 1;
  const full = Math.max(fullBarCalls, ...perPod.values());
  return shownPods(board).map((pod) => {
    const count = perPod.get(pod) ?? 0;
    const name = podSpan(pod.padEnd(nameWidth), pod, pods);
    return [name, span(" "), ...renderBar(pod, count / full, barWidth, pods), renderCount(count)];
  });
}

export function renderBar(pod: string, share: number, width: number, pods: readonly string[]): Line {
  return [podSpan(width > 0 ? bar(share, width).padEnd(width) : "", pod, pods)];
}

export const renderCount = (count: number) =>
  span(String(count).padStart(countWidth), count === 0 ? "faint" : "strong");

export function renderCounts({ perPod }: BoardColumn, board: Board): Line {
  return shownPods(board).map((pod) => podSpan(`  ${perPod.get(pod) ?? 0}`, pod, board.pods));
}

/** A text in the colour of a pod. */
export function podSpan(text: string, pod: string, pods: readonly string[]): Span {
  const index = pods.indexOf(pod);
  return span(text, index === -1 ? "plain" : { pod: index });
}

const numbers = "No One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve".split(" ");

/** The title of a run, without a full stop, and a sentence about its clients. */
export function describeRun(strategies: readonly Strategy[], pods: number): readonly [string, string] {
  const title = strategies.some(({ name }) => name === "clusterip")
    ? "gRPC behind a Kubernetes Service: one pod gets every call"
    : "Calls to the same pods, which clients find in different ways";
  const count = strategies.length;
  if (count === 1) return [title, `One client calls ${pods} pods.`];
  const clients = numbers[count] ?? String(count);
  return [title, `${clients} clients call the same ${pods} pods and differ only in how they connect.`];
}
