import { contentWidth, fit, indent, type Line, span, type Tone, widthOf, wrap } from "../../terminal/line.ts";
import type { Size } from "../../terminal/screen.ts";
import type { SkippedStrategy } from "../choose-strategies.ts";
import type { Outcome } from "../outcome.ts";
import { podSpan, verdictTones } from "./board-parts.ts";

/** The result of a run. */
export interface Result {
  readonly pods: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly skipped: readonly SkippedStrategy[];
  readonly warmUpCalls: number;
}

/** The lines that the shell needs below the result: its prompt, and a blank line. */
const promptRows = 2;

/**
 * Renders the verdicts with their reasons, the conclusion, and what to do next. Where the screen is too low for all of it, the
 * least important parts are left out, so that the table stays on the screen: what to do next, blank lines, reasons.
 *
 * @param size the terminal; without `rows` nothing is left out
 */
export function renderResult(result: Result, size: Pick<Size, "columns"> & Partial<Size>): Line[] {
  const width = contentWidth(size.columns);
  const maxLines = (size.rows ?? Number.POSITIVE_INFINITY) - promptRows;
  const warmUp = `The first ${result.warmUpCalls} calls of a client are not counted: its connections were opening.`;
  const notes = [wrap(warmUp, width, "faint"), renderConclusion(result, width)];
  const next = renderNextSteps(result, width);
  const full = [...renderOutcomes(result, width, true), ...renderSkipped(result, width)];
  const short = [...renderOutcomes(result, width, false), ...renderSkipped(result, width)];
  const layouts = [
    [full, ...notes, next].flatMap((part, i) => (i > 0 ? [[], ...part] : part)),
    [full, ...notes].flatMap((part, i) => (i > 0 ? [[], ...part] : part)),
    [full, ...notes].flat(),
    [short, ...notes].flat(),
  ];
  const lines = layouts.find((layout) => layout.length <= maxLines) ?? layouts.at(-1) ?? [];
  return lines.map((line) => (line.length === 0 ? line : indent(fit(line, Math.min(width, widthOf(line))), 1)));
}

function renderOutcomes(result: Result, width: number, hasReasons: boolean): Line[] {
  return renderTable(result, width, hasReasons) ?? renderList(result, width, hasReasons);
}

/** Undefined when the width is too small for a table. */
function renderTable({ pods, outcomes }: Result, width: number, hasReasons: boolean): Line[] | undefined {
  const nameWidth = Math.max(...outcomes.map(({ strategy }) => strategy.name.length));
  const podLabels = [pods, shortLabels(pods)].find((labels) => {
    return nameWidth + 8 + labels.reduce((sum, label) => sum + cellWidth(label), 0) + 11 <= width;
  });
  if (!podLabels) return undefined;
  const header: Line = [
    span("strategy".padEnd(nameWidth), "faint"),
    span("calls".padStart(8), "faint"),
    ...podLabels.map((label, i) => podSpan(label.padStart(cellWidth(label)), pods[i] ?? "", pods)),
    span("   verdict", "faint"),
  ];
  const rule = [span("─".repeat(width), "faint")];
  const rows = outcomes.flatMap((outcome): Line[] => {
    const { strategy, verdict } = outcome;
    const counts = podLabels.map((label, i) => {
      const count = verdict?.perPod.get(pods[i] ?? "") ?? 0;
      const text = (verdict ? String(count) : "-").padStart(cellWidth(label));
      return count === 0 ? span(text, "faint") : podSpan(text, pods[i] ?? "", pods);
    });
    return [
      [
        span(strategy.name.padEnd(nameWidth), "strong"),
        span(String(verdict?.calls ?? "-").padStart(8)),
        ...counts,
        span("   "),
        ...renderWord(outcome),
      ],
      ...renderReason(outcome, width - 2, hasReasons).map((line) => indent(line, 2)),
    ];
  });
  return [header, rule, ...rows];
}

function renderList({ pods, outcomes }: Result, width: number, hasReasons: boolean): Line[] {
  return outcomes.flatMap((outcome, i): Line[] => {
    const { strategy, verdict } = outcome;
    const counts = pods.map((pod) => `${pod}\u00a0${verdict?.perPod.get(pod) ?? 0}`).join(", ");
    return [
      ...(i > 0 && hasReasons ? [[]] : []),
      [span(strategy.name, "strong"), span("  "), ...renderWord(outcome)],
      ...wrap(`${verdict?.calls ?? "no"} calls: ${counts}`, width),
      ...renderReason(outcome, width, hasReasons),
    ];
  });
}

function renderWord({ verdict }: Outcome): Line {
  return verdict ? [span(verdict.word, verdictTones[verdict.word])] : [span("no verdict", "bad")];
}

/** A failure is always shown. */
function renderReason({ strategy, failure }: Outcome, width: number, hasReasons: boolean): Line[] {
  if (!failure && !hasReasons) return [];
  const [text, tone]: [string, Tone] = failure ? [failure, "bad"] : [strategy.why, "faint"];
  return wrap(text, width, tone);
}

function renderSkipped({ skipped }: Result, width: number): Line[] {
  return skipped.flatMap(({ name, reason }): Line[] => [
    fit([span(name, "strong"), span("  skipped", "warning")], width),
    ...wrap(reason, width - 2, "faint").map((line) => indent(line, 2)),
  ]);
}

function renderConclusion({ pods, outcomes }: Result, width: number): Line[] {
  if (outcomes.some(({ failure }) => failure)) {
    return wrap("Not every strategy got the expected verdict.", width, "bad");
  }
  if (!outcomes.some(({ strategy }) => strategy.name === "clusterip")) {
    return wrap("Every strategy got the expected verdict.", width, "strong");
  }
  const idle = pods.length - 1;
  const text = `A Service balances connections, not calls: over gRPC ${idle} of ${pods.length} pods stayed idle.`;
  return wrap(text, width, "strong");
}

function renderNextSteps({ outcomes, skipped }: Result, width: number): Line[] {
  const shown = outcomes.length + skipped.length;
  const steps = [
    shown > 4
      ? ["make demo SCENE=kill", "what happens when a pod dies"]
      : ["make demo STRATEGIES=all", "etcd, Consul, DNS, proxies, xDS too"],
    ["make live", "in the browser: kill and add pods"],
    ["make docker-build && make kube-deploy", "the same clients on a cluster"],
    ["README.md", "the tutorial, step by step"],
  ] as const;
  const commandWidth = Math.max(...steps.map(([command]) => command.length));
  return [
    [span("Next", "strong")],
    ...steps.flatMap(([command, what]): Line[] => {
      if (2 + commandWidth + 3 + what.length <= width) {
        return [[span(`  ${command.padEnd(commandWidth)}`), span(`   ${what}`, "faint")]];
      }
      return [[span(`  ${command}`)], [span(`    ${what}`, "faint")]];
    }),
  ];
}

const cellWidth = (label: string) => Math.max(label.length, 3) + 2;

/** Only the first name in full, for example `server-1  -2  -3`. */
function shortLabels(pods: readonly string[]): string[] {
  return pods.map((pod, i) => (i === 0 ? pod : pod.slice(pod.lastIndexOf("-"))));
}
