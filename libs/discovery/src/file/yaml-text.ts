import { messageOf } from "@grpc-lb/core";
import { loadOptional } from "../core/optional-package.ts";
import { ContentError } from "./content-error.ts";
import type { FieldPath } from "./fields.ts";
import { maxDepth, tooDeep } from "./json-text.ts";

/** How long the parser works before the event loop has its turn, in milliseconds. */
const sliceMs = 10;

/** A document of YAML. */
export interface YamlDocument {
  readonly value: unknown;
  /** The line of a field, or of the nearest one that contains it, from 1. */
  lineOf(path: FieldPath): number;
}

/** Parses a text of YAML 1.2 with one document. @throws ContentError, also when the YAML library is not installed */
export async function parseYaml(text: string): Promise<YamlDocument> {
  const { Composer, isCollection, isScalar, Lexer, LineCounter, Parser, visit } = await loadYaml();
  const lines = new LineCounter();
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens = [];
  try {
    let dueMs = performance.now() + sliceMs;
    for (const lexeme of new Lexer().lex(text)) {
      tokens.push(...parser.next(lexeme));
      // A level is two tokens at most: a collection and its item.
      if (parser.stack.length > 2 * maxDepth) throw new ContentError(undefined, tooDeep);
      if (performance.now() < dueMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      dueMs = performance.now() + sliceMs;
    }
    tokens.push(...parser.end());
    // The library compares each key of a mapping with all others: 20 000 keys would take 11 s.
    const options = { prettyErrors: false, logLevel: "silent", uniqueKeys: false } as const;
    const [document, second] = new Composer(options).compose(tokens, true, text.length);
    if (!document) throw new Error("there is no document"); // the composer was told to make one
    const [wrong] = document.errors;
    if (wrong) throw new ContentError(lines.linePos(wrong.pos[0]).line, describe(wrong));
    if (second) {
      const { line } = lines.linePos(second.range[0]);
      throw new ContentError(line, "the file must have one document, got several");
    }
    visit(document, {
      Map: (_key, { items }) => {
        const seen = new Set<unknown>();
        for (const { key } of items) {
          const name = isScalar(key) ? key.value : key;
          if (isCollection(name)) throw new ContentError(undefined, "not valid YAML: a key must be text or a number");
          if (seen.has(name)) {
            const position = isScalar(key) ? key.range?.[0] : undefined;
            const line = position === undefined ? undefined : lines.linePos(position).line;
            throw new ContentError(line, "not valid YAML: Map keys must be unique");
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
    return { value: document.toJS(), lineOf };
  } catch (cause) {
    if (cause instanceof ContentError) throw cause;
    // An alias of nothing, or of too much.
    throw new ContentError(undefined, describe({ code: undefined, message: messageOf(cause) }));
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
