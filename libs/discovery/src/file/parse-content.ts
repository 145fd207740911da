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
 * Reads the text of a file of endpoints, JSON or YAML 1.2. The YAML library is loaded for what is no JSON, and to tell the
 * line of what is wrong.
 *
 * @throws ContentError
 */
export async function parseContent(text: string): Promise<FileContent> {
  const value = parseJson(text);
  if (value !== undefined) {
    try {
      return readValue(value);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error; // else it is said below, with its line
    }
  }
  return parseYaml(text);
}

/** Undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // YAML knows better what is wrong
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
  try {
    return readValue(value);
  } catch (cause) {
    if (!(cause instanceof FieldError)) throw cause;
    throw new ContentError(lineOf(cause.path), cause.message, { cause });
  }

  /** The line of a field, or of what it would have to stand in. */
  function lineOf(path: FieldPath): number {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number, ...number[]] } | undefined;
      if (node?.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}
