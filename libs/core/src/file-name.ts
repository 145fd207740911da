import { existsSync } from "node:fs";
import { isToken } from "./redact.ts";

/** The longest name of a file, and the longest part of it, in bytes: those of Linux. */
const maxNameBytes = 4_096;
const maxPartBytes = 255;

/** Line ends and other characters that hardly any name has, the frame of PEM, and the beginning of JSON. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a name does not have
const contentPattern = /[\u0000-\u001f\u007f]|-----BEGIN|^\s*[{[]/;
const jwtPattern = /^[\w-]{10,}\.[\w-]{10,}\.[\w-]*$/;
const minJwtLength = 40;
const paddedBase64Pattern = /^[a-z\d+/]{22,}={1,2}$/i;
const tokenPattern = /^[\w+-]{20,}$/;

/** Whether a text is more likely the content of a file, such as a key or a token, than the name of one. */
function isContent(text: string): boolean {
  if (contentPattern.test(text) || Buffer.byteLength(text) > maxNameBytes) return true;
  const parts = text.split("/");
  if (parts.some((part) => Buffer.byteLength(part) > maxPartBytes)) return true;
  if (parts.some((part) => part.length >= minJwtLength && jwtPattern.test(part))) return true;
  return paddedBase64Pattern.test(text) || (tokenPattern.test(text) && isToken(text));
}

/**
 * Refuses the content of a file where its name belongs, as of `TLS_KEY="$(cat server.key)"`. A file that exists has a name, whatever it
 * looks like.
 *
 * @throws RangeError that does not repeat the text, which may be a secret
 */
export function requireFileName(text: string): void {
  if (isContent(text) && !existsSync(text)) {
    throw new RangeError("must be the name of a file, and looks like the content of one");
  }
}

/** The name of a file as an error may repeat it: "…" for a text that looks like the content of one. */
export function showFileName(text: string): string {
  return isContent(text) ? "…" : text;
}
