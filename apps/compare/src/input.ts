import type { BalanceRule } from "@grpc-lb/verdict";
import { type PageAction, type PodState, podStates } from "../page/protocol.ts";

/** One line of stdin, a JSON object: what is compared and what happens to it. */
export type Input =
  /** The headline and the buttons. Sent once, first. */
  | { readonly t: "hello"; readonly title: string; readonly actions: readonly PageAction[] }
  /** A client whose lines will follow. */
  | {
      readonly t: "client";
      readonly name: string;
      readonly way: string;
      readonly why: string;
      readonly rule: BalanceRule;
    }
  /** A line that a client wrote to stdout or stderr. */
  | { readonly t: "line"; readonly client: string; readonly line: string }
  | { readonly t: "pod"; readonly pod: string; readonly state: PodState; readonly node: string; readonly zone: string }
  /** The pods that the Service or the registries publish now, all of them. Only these are judged once it was sent. */
  | { readonly t: "endpoints"; readonly pods: readonly string[] }
  /** Something else happens that concerns all clients. */
  | { readonly t: "scene"; readonly text: string }
  /** A sentence for the person at the page; empty removes it. */
  | { readonly t: "note"; readonly text: string };

const maxActions = 20;
const rules: readonly BalanceRule[] = ["round_robin", "random"];

/**
 * Parses a line of stdin. Unknown fields are ignored.
 *
 * @throws Error that names the wrong field
 */
export function parseInput(line: string): Input {
  const given: unknown = JSON.parse(line);
  if (typeof given !== "object" || given === null) throw new Error("a line must be a JSON object");
  const fields = given as Readonly<Record<string, unknown>>;
  const text = (name: string) => readText(fields, name);
  const { t } = fields;
  switch (t) {
    case "hello":
      return { t, title: text("title"), actions: readActions(fields.actions) };
    case "client":
      return { t, name: text("name"), way: text("way"), why: text("why"), rule: readChoice(fields, "rule", rules) };
    case "line":
      return { t, client: text("client"), line: text("line") };
    case "pod":
      return {
        ...{ t, pod: text("pod"), state: readChoice(fields, "state", podStates) },
        ...{ node: fields.node === undefined ? "" : text("node"), zone: fields.zone === undefined ? "" : text("zone") },
      };
    case "endpoints":
      return { t, pods: readNames(fields.pods) };
    case "scene":
    case "note":
      return { t, text: text("text") };
    default:
      throw new Error(
        `t must be hello, client, line, pod, endpoints, scene or note, got ${JSON.stringify(t)?.slice(0, 80)}`,
      );
  }
}

function readText(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new Error(`${name} must be a text`);
  return value;
}

function readNames(given: unknown): readonly string[] {
  if (!Array.isArray(given) || !given.every((each) => typeof each === "string"))
    throw new Error("pods must be a list of texts");
  return given;
}

function readChoice<T extends string>(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  choices: readonly T[],
): T {
  const choice = choices.find((each) => each === fields[name]);
  if (choice === undefined) throw new Error(`${name} must be one of ${choices.join(", ")}`);
  return choice;
}

function readActions(given: unknown): readonly PageAction[] {
  if (!Array.isArray(given) || given.length > maxActions)
    throw new Error(`actions must be a list of at most ${maxActions}`);
  return given.map((each: unknown) => {
    if (typeof each !== "object" || each === null) throw new Error("an action must be an object");
    const fields = each as Readonly<Record<string, unknown>>;
    const text = (name: string) => readText(fields, name);
    return { name: text("name"), label: text("label"), key: text("key"), help: text("help") };
  });
}
