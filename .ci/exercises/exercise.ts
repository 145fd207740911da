/** The exercises of the workshop: pages whose commands run, and whose outputs are compared. */
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseBlocks } from "../docs/blocks.ts";

export const tracks = ["no-cluster", "cluster"] as const;
export type Track = (typeof tracks)[number];

/** A command of an exercise: a block of `sh`. */
export interface Step {
  /** The line of the page where it begins. */
  readonly line: number;
  readonly command: string;
  /** The block of `text` right after it; without one any output is right. */
  readonly output: { readonly line: number; readonly text: string } | undefined;
  readonly exitCode: number;
  readonly deadlineMs: number;
  /** Whether it goes on until the exercise ends, as in a terminal of its own. */
  readonly isBackground: boolean;
  /** Whether it runs again until the output is right, at most to the deadline. */
  readonly isRepeated: boolean;
}

export interface Exercise {
  /** Relative to the repository. */
  readonly page: string;
  /** The page's name without its ending: `01-one-pod-gets-everything`. */
  readonly name: string;
  readonly track: Track;
  readonly minutes: number;
  /** What else must be there: `Istio`. */
  readonly needs: readonly string[];
  readonly steps: readonly Step[];
}

const defaultDeadlineMs = 60_000;
const unitsMs = { s: 1_000, m: 60_000 } as const;

/** The exercises of a checkout, in their order. */
export function listExercises(root: string): Exercise[] {
  const pages = globSync("docs/workshop/*/*.md", { cwd: root }).sort();
  return pages.map((page) => parseExercise(page, readFileSync(join(root, page), "utf8")));
}

/**
 * Reads an exercise. The line after its title is `Track: cluster. 8 minutes. Needs: Istio.`; what it needs may be left out. After
 * `sh` a block may have the words `background`, `repeat`, `exit=1` and `deadline=2m`.
 *
 * @throws Error with the page and the line of what cannot be read
 */
export function parseExercise(page: string, text: string): Exercise {
  const header = /^Track: (no cluster|cluster)\. (\d+) minutes\.(?: Needs: ([^.]+)\.)?$/m.exec(text);
  if (!header)
    throw new Error(`${page}: a line must say "Track: no cluster. 5 minutes." or "Track: cluster. 5 minutes."`);
  const [, track = "", minutes, needs = ""] = header;
  const blocks = parseBlocks(page, text);
  const steps = blocks.flatMap((block, at): Step[] => {
    if (block.language !== "sh") return [];
    const next = blocks[at + 1];
    const output = next?.language === "text" ? { line: next.line, text: next.text } : undefined;
    const step = { line: block.line, command: block.text, output };
    return [{ ...step, ...parseWords(`${page}:${block.line - 1}`, block.words) }];
  });
  return {
    page,
    name: basename(page, ".md"),
    track: track === "cluster" ? "cluster" : "no-cluster",
    minutes: Number(minutes),
    needs: needs === "" ? [] : needs.split(", "),
    steps,
  };
}

function parseWords(where: string, words: readonly string[]): Omit<Step, "line" | "command" | "output"> {
  let [exitCode, deadlineMs, isBackground, isRepeated] = [0, defaultDeadlineMs, false, false];
  for (const word of words) {
    const [, code, amount, unit] = /^(?:exit=(\d+)|deadline=(\d+)(s|m))$/.exec(word) ?? [];
    if (word === "background") isBackground = true;
    else if (word === "repeat") isRepeated = true;
    else if (code !== undefined) exitCode = Number(code);
    else if (unit === "s" || unit === "m") deadlineMs = Number(amount) * unitsMs[unit];
    else throw new Error(`${where}: unknown word ${word}; known words: background, repeat, exit=1, deadline=90s`);
  }
  return { exitCode, deadlineMs, isBackground, isRepeated };
}
