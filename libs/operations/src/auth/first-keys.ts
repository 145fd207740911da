import type { Clock } from "@grpc-lb/core";
import type { TokenVerifier } from "@grpc-lb/interceptors/jwt";

/** As soon as the verifier reads its keys again after a failure. */
const retryMs = 5_000;

/** UNAVAILABLE, which is a refusal because the keys cannot be read. */
const unavailable = 14;

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A token that no issuer has signed: its check needs the keys, and refuses it. */
const unsigned = `${encode({ alg: "ES256" })}.${encode({})}.${"A".repeat(86)}`;

/**
 * Makes a verifier read the keys of its issuer now, and not with the first call, and again until that has succeeded once. Never rejects.
 *
 * @param signal ends the wait
 */
export async function waitForKeys(verify: TokenVerifier, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const verification = await verify([`Bearer ${unsigned}`], "");
    if (!("refusal" in verification) || verification.refusal.code !== unavailable) return;
    await clock.sleep(retryMs, signal);
  }
}
