import { messageOf } from "@grpc-lb/core";
import { loadOptional } from "../core/optional-package.ts";
import { ContentError } from "./content-error.ts";
import type { FieldPath, NameTwice } from "./fields.ts";
import { maxDepth, maxNames, tooDeep, tooManyNames } from "./json-text.ts";
import { inSlices, turn } from "./slices.ts";

/**
 * The limits of a text. The library makes a document of the tokens in one step, which takes 2 to 4 microseconds for a mark, less
 * for a blank, and a search among all anchors for an alias.
 */
const limits = [
  ["marks", { most: 24_000, what: "names, values and punctuation marks" }],
  ["blanks", { most: 100_000, what: "indents, line breaks and comments" }],
  ["aliases", { most: 500, what: "aliases" }],
] as const;

/** What the lexer puts before a text without quotes. */
const scalarMark = "\u001f";

/** A document of YAML. */
export interface YamlDocument {
  readonly value: unknown;
  /** The line of a field, or of the nearest one that contains it, from 1. */
  lineOf(path: FieldPath): number;
}

/**
 * Parses a text of YAML 1.2 with one document.
 *
 * @param twice the error of a name that a mapping has twice
 * @throws ContentError, also when the YAML library is not installed
 */
export async function parseYaml(text: string, twice: NameTwice): Promise<YamlDocument> {
  const { Composer, isCollection, isPair, isScalar, isSeq, Lexer, LineCounter, Parser, visit } = await loadYaml();
  const lines = new LineCounter();
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: import("yaml").CST.Token[] = [];
  function* parse() {
    const counts = { marks: 0, blanks: 0, aliases: 0 };
    let isText = false;
    for (const lexeme of new Lexer().lex(text)) {
      yield;
      for (const token of parser.next(lexeme)) tokens.push(token);
      // A level is two tokens at most: a collection and its item.
      if (parser.stack.length > 2 * maxDepth) throw new ContentError(undefined, tooDeep);
      if (!isText) {
        counts[/^[\s#]/.test(lexeme) ? "blanks" : "marks"] += 1;
        if (lexeme.startsWith("*")) counts.aliases += 1;
      }
      isText = lexeme === scalarMark; // the next one is the text, which is counted with its mark
      for (const [name, { most, what }] of limits) {
        if (counts[name] <= most) continue;
        const { line } = lines.linePos(parser.offset);
        throw new ContentError(line, `YAML must have at most ${most} ${what}; write it as JSON`);
      }
    }
    for (const token of parser.end()) tokens.push(token);
  }
  try {
    await inSlices(parse());
    await turn();
    // The library compares each key of a mapping with all others: 20 000 keys would take 11 s.
    const options = { prettyErrors: false, logLevel: "silent", uniqueKeys: false } as const;
    const documents = new Composer(options).compose(tokens, true, text.length);
    // No more than two are composed, however many there are.
    const [document, second] = withoutStackTraces(() => [documents.next().value, documents.next().value] as const);
    if (!document) throw new Error("there is no document"); // the composer was told to make one
    const [wrong] = document.errors;
    if (wrong) throw new ContentError(lines.linePos(wrong.pos[0]).line, describe(wrong));
    if (second) {
      const { line } = lines.linePos(second.range[0]);
      throw new ContentError(line, "the file must have one document, got several");
    }
    await turn();
    /** The path of the mapping whose ancestors these are: pairs have a key, and lists an item. */
    const pathOf = (ancestors: readonly unknown[]): FieldPath =>
      ancestors.flatMap((ancestor, n): (string | number)[] => {
        if (isPair(ancestor)) return isScalar(ancestor.key) ? [String(ancestor.key.value)] : [];
        return isSeq(ancestor) ? [ancestor.items.indexOf(ancestors[n + 1])] : [];
      });
    visit(document, {
      Map: (_key, { items, range }, ancestors) => {
        if (items.length > maxNames)
          throw new ContentError(range ? lines.linePos(range[0]).line : undefined, tooManyNames);
        const seen = new Set<unknown>();
        for (const { key } of items) {
          const name = isScalar(key) ? key.value : key;
          if (isCollection(name)) throw new ContentError(undefined, "not valid YAML: a key must be text or a number");
          if (seen.has(name)) {
            const position = isScalar(key) ? key.range?.[0] : undefined;
            const line = position === undefined ? undefined : lines.linePos(position).line;
            throw new ContentError(line, twice([...pathOf(ancestors), String(name)]).message);
          }
          seen.add(name);
        }
      },
    });
    const lineOf = (path: FieldPath): number => {
      for (let length = path.length; length > 0; length--) {
        const node = document.getIn(path.slice(0, length), true) as { range?: [number, ...number[]] } | undefined;
        if (node?.range) return lines.linePos(node.range[0]).line;
      }
      return 1;
    };
    await turn();
    return { value: document.toJS(), lineOf };
  } catch (cause) {
    if (cause instanceof ContentError) throw cause;
    // An alias of nothing, or of too much.
    throw new ContentError(undefined, describe({ code: undefined, message: messageOf(cause) }));
  }
}

/** The library makes an error of each fault that it finds, up to one for three characters; their stacks would take a second. */
function withoutStackTraces<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function loadYaml(): Promise<typeof import("yaml")> {
  try {
    return await loadOptional("@grpc-lb/discovery/file", () => import("yaml"));
  } catch (cause) {
    throw new ContentError(undefined, messageOf(cause), { cause });
  }
}

/** For errors whose messages have a piece of the text in their middle. */
const messages: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: "unknown directive",
  BAD_DQ_ESCAPE: "invalid escape sequence",
  TAG_RESOLVE_FAILED: "unknown or wrong tag",
};

/** Other messages repeat pieces of the text, which may be secret, behind a colon or in quotes. */
function describe({ code, message }: { readonly code: string | undefined; readonly message: string }): string {
  return `not valid YAML: ${messages[code ?? ""] ?? message.replace(/:\s.*| *"[^"]*"/gs, "")}`;
}
