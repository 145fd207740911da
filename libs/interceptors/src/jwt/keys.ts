import { type Clock, readTextFile } from "@grpc-lb/core";
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import type { KeySource } from "./key-source.ts";

/** How long keys are used without a look at their source; and how often an unknown key makes it look earlier. */
const maxAgeMs = 600_000;
const cooldownMs = 5_000;
const timeoutMs = 5_000;

/** Finds the key of a token. A key that is not known, as after a rotation, makes it look at the source again, at most every 5 s. */
export function createKeys(source: KeySource, clock: Clock): JWTVerifyGetKey {
  if ("file" in source) return keysOfFile(source.file, clock);
  return createRemoteJWKSet(new URL(source.url), {
    timeoutDuration: timeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: maxAgeMs,
    ...(source.fetch && { [customFetch]: source.fetch }),
  });
}

function keysOfFile(path: string, clock: Clock): JWTVerifyGetKey {
  let find: JWTVerifyGetKey | undefined;
  let readMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    try {
      const text = await readTextFile(path, { clock });
      find = createLocalJWKSet(JSON.parse(text)) as JWTVerifyGetKey;
    } catch (error) {
      if (!find) throw error; // a file that is being replaced leaves the keys that there are
    } finally {
      readMs = clock.now();
      reading = undefined;
    }
  };
  const refresh = (): Promise<void> => {
    reading ??= read();
    return reading;
  };
  return async (header, token) => {
    if (!find || clock.now() - readMs >= maxAgeMs) await refresh();
    try {
      return await (find as JWTVerifyGetKey)(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || clock.now() - readMs < cooldownMs) throw error;
      await refresh();
      return (find as JWTVerifyGetKey)(header, token);
    }
  };
}
