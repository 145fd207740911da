import { ContentError } from "./content-error.ts";
import { type FileContent, readDocument } from "./document.ts";
import { FieldError, type FieldPath, hiddenNameTwice, type NameTwice } from "./fields.ts";
import { describeSyntaxError, findDuplicate, lineOfField, refuseStructure } from "./json-text.ts";
import { inSlices, turn } from "./slices.ts";
import { parseYaml } from "./yaml-text.ts";

/** The largest file that is read, in bytes: 2 MiB. */
export const maxFileBytes = 2 * 2 ** 20;
/** The largest text that is read as YAML, in characters: 256 Ki. Parsing YAML takes about 30 times as long as JSON. */
export const maxYamlLength = 256 * 2 ** 10;

/**
 * Reads the bytes of a file of endpoints, in JSON or YAML 1.2. The result always satisfies its types. Errors never quote a file that
 * does not list endpoints.
 *
 * @throws ContentError
 */
export function readContent(bytes: Uint8Array): Promise<FileContent> {
  return readDocumentOf(bytes, readDocument);
}

/**
 * Reads the bytes of a file in JSON or YAML 1.2. The YAML library is loaded with the first YAML file. No step blocks the event loop
 * for longer than 100 ms.
 *
 * @param read takes the value apart; a `FieldError` of it becomes a `ContentError` with the line of the field. Run by `inSlices`.
 * @param twice the error of a name that an object has twice
 * @throws ContentError
 */
export async function readDocumentOf<T>(
  bytes: Uint8Array,
  read: (value: unknown) => Generator<void, T>,
  twice: NameTwice = hiddenNameTwice,
): Promise<T> {
  if (bytes.length > maxFileBytes) {
    throw new ContentError(undefined, `the file must be at most ${maxFileBytes / 2 ** 20} MiB`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes); // drops a byte order mark
  } catch {
    throw new ContentError(undefined, "the file is not valid UTF-8"); // the error has no position
  }
  if (!/^\s*[[{]/.test(text)) return readYaml(text, read, twice);
  const refused = await inSlices(refuseStructure(text));
  if (refused) throw new ContentError(refused.line, refused.why);
  await turn();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    await turn();
    // YAML in flow style begins with the same characters. Half-written JSON is not valid YAML either.
    if (text.length <= maxYamlLength) {
      const fromYaml = await readYaml(text, read, twice).catch((error: unknown) => error);
      if (!(fromYaml instanceof ContentError)) return fromYaml as T;
      if (!looksLikeJson(text)) throw fromYaml;
    }
    const { why, line } = await inSlices(describeSyntaxError(text, cause as Error));
    throw new ContentError(line, `not valid JSON: ${why}`);
  }
  await turn();
  const duplicate = await inSlices(findDuplicate(text));
  if (duplicate) throw new ContentError(duplicate.line, twice(duplicate.path).message);
  return check(value, read, (path) => inSlices(lineOfField(text, path)));
}

/** Whether the first key or value is quoted, which YAML does not require. */
const looksLikeJson = (text: string) => /^[\s[{]*("|$)/.test(text);

/** @param lineOf returns the line of a field */
async function check<T>(
  value: unknown,
  read: (value: unknown) => Generator<void, T>,
  lineOf: (path: FieldPath) => number | Promise<number>,
): Promise<T> {
  try {
    return await inSlices(read(value));
  } catch (cause) {
    if (!(cause instanceof FieldError)) throw cause;
    throw new ContentError(await lineOf(cause.path), cause.message, { cause });
  }
}

async function readYaml<T>(text: string, read: (value: unknown) => Generator<void, T>, twice: NameTwice): Promise<T> {
  if (text.length > maxYamlLength) {
    const most = `${maxYamlLength / 2 ** 10} KiB`;
    throw new ContentError(undefined, `YAML must be at most ${most}; write a larger list as JSON`);
  }
  const { value, lineOf } = await parseYaml(text, twice);
  await turn();
  return check(value, read, lineOf);
}
