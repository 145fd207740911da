import { type Clock, describeReadFailure, printableLine, readTextFile, showFileName } from "@grpc-lb/core";
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import type { KeySource } from "./key-source.ts";

/** The longest exchange with an issuer, and the longest JWKS. */
const timeoutMs = 5_000;
const maxBytes = 1_048_576;

/**
 * Reads the keys of an issuer once.
 *
 * @throws Error that names the file or the URL, without its query, and repeats nothing of what was read
 */
export async function readKeys(source: KeySource, clock: Clock): Promise<JWTVerifyGetKey> {
  const what =
    "file" in source ? `read the keys of the issuer: ${showFileName(source.file)}` : describeFetch(source.url);
  try {
    const text = "file" in source ? await readTextFile(source.file, { maxBytes, clock }) : await fetchText(source);
    return parseKeys(text);
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error; // Node's fetch: "fetch failed"
    throw new Error(printableLine(`cannot ${what}: ${describeReadFailure(cause)}`, 500), { cause: error });
  }
}

function describeFetch(text: string): string {
  const { origin, pathname } = new URL(text);
  return `fetch the keys of the issuer: GET ${origin}${pathname}`;
}

async function fetchText({ url, fetch = globalThis.fetch }: Extract<KeySource, { url: string }>): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const onTimeout = (): void => reject(new Error(`no answer within ${timeoutMs} ms`));
  signal.addEventListener("abort", onTimeout);
  try {
    // A `fetch` of the user's may ignore the signal.
    return await Promise.race([exchange(url, fetch, signal), late]);
  } finally {
    signal.removeEventListener("abort", onTimeout);
  }
}

async function exchange(url: string, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<string> {
  const headers = { accept: "application/json, application/jwk-set+json" };
  const response = await fetch(url, { headers, redirect: "manual", signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${response.status} ${response.statusText}`.trimEnd());
  }
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`); // which cancels the body
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseKeys(text: string): JWTVerifyGetKey {
  let keys: ReturnType<typeof createLocalJWKSet>;
  try {
    keys = createLocalJWKSet(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error("it is not valid JSON");
    if (error instanceof errors.JWKSInvalid) throw new Error("it is not a JSON Web Key Set");
    throw error;
  }
  if (keys.jwks().keys.length === 0) throw new Error("it has no keys");
  return keys as JWTVerifyGetKey;
}
