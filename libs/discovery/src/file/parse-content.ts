import { describeSyntaxError, lineOfField } from "./json-text.ts";
import { FieldError, type FieldPath, type FileContent, readValue } from "./read-value.ts";

/** What is wrong with a text, and where. */
export class ContentError extends Error {
  override readonly name = "ContentError";
  /** The first is 1; undefined where none can be told. */
  readonly line: number | undefined;

  constructor(line: number | undefined, message: string, options?: ErrorOptions) {
    super(message, options);
    this.line = line;
  }
}

/**
 * Reads the text of a file of endpoints: JSON where it begins as such, else YAML 1.2, whose library is loaded only then. To read
 * a broken text of JSON as YAML would block the process for seconds where there are thousands of endpoints.
 *
 * @throws ContentError
 */
export async function parseContent(text: string): Promise<FileContent> {
  const bare = text.replace(/^\u{feff}/u, "");
  const [begin] = /^\s*[[{]/.exec(bare) ?? [];
  return begin === undefined ? parseYaml(bare) : parseJson(bare, begin.trim());
}

function parseJson(text: string, begin: string): FileContent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { why, line } = describeSyntaxError(text, error as Error);
    throw new ContentError(line, `a text that begins with ${begin} must be JSON: ${why}`);
  }
  return checkFields(value, (path) => lineOfField(text, path));
}

/** @param lineOf tells the line of a field */
function checkFields(value: unknown, lineOf: (path: FieldPath) => number): FileContent {
  try {
    return readValue(value);
  } catch (cause) {
    if (!(cause instanceof FieldError)) throw cause;
    throw new ContentError(lineOf(cause.path), cause.message, { cause });
  }
}

async function parseYaml(text: string): Promise<FileContent> {
  const { LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [wrong] = document.errors;
  if (wrong) {
    const why = wrong.code === "MULTIPLE_DOCS" ? "there must be one document in it, got several" : wrong.message;
    throw new ContentError(lines.linePos(wrong.pos[0]).line, why, { cause: wrong });
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    throw new ContentError(undefined, (cause as Error).message, { cause }); // an alias of nothing, or of too much
  }
  return checkFields(value, lineOf);

  /** The line of a field, or of what it would have to stand in. */
  function lineOf(path: FieldPath): number {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number, ...number[]] } | undefined;
      if (node?.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}
