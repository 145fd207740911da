import { STATUS_CODES } from "node:http";
import type { ServerAuthOptions, TokenVerifier } from "@grpc-lb/interceptors/jwt";
import type { onRequestAsyncHookHandler } from "fastify";

/** HTTP's status for UNAUTHENTICATED (16), PERMISSION_DENIED (7) and UNAVAILABLE, and the error of RFC 6750. */
const refusals: Readonly<Record<number, readonly [status: number, error: string]>> = {
  16: [401, "invalid_token"],
  7: [403, "insufficient_scope"],
};

/**
 * Creates a hook of fastify that checks the token of a request, for the routes that need one. Others get 401, 403, or 503 while the keys
 * cannot be read; the reason is the body, and stands in `WWW-Authenticate` (RFC 6750).
 *
 * @param onRefused gets the reason and the address of the client
 */
export function createHttpAuth(
  verify: TokenVerifier,
  onRefused: ServerAuthOptions["onRefused"] = () => {},
): onRequestAsyncHookHandler {
  return async ({ ip, method, raw, routeOptions }, reply) => {
    const authorization = raw.headersDistinct.authorization ?? [];
    const verification = await verify(authorization, `${method} ${routeOptions.url ?? ""}`);
    if (!("refusal" in verification)) return;
    const { code, details } = verification.refusal;
    onRefused(details, ip);
    const [status, error] = refusals[code] ?? [503, undefined];
    if (error !== undefined) {
      const reason = `error_description="${details.replace(/[^\x20-\x7e]|["\\]/g, "'")}"`;
      // Without a token there is no error code: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
      reply.header("www-authenticate", `Bearer ${authorization.length > 0 ? `error="${error}", ` : ""}${reason}`);
    }
    await reply.code(status).type("text/plain").send(`${STATUS_CODES[status]}: ${details}`);
  };
}
