import type { Claims } from "@grpc-lb/interceptors/jwt";

/**
 * Creates the check of a token's subject against patterns, in which `*` stands for any text: `system:serviceaccount:default:*`. Returns
 * the reason to deny a call whose subject none of them matches, or which has no subject. The reason repeats nothing of the token.
 */
export function createSubjectCheck(patterns: readonly string[]): (claims: Claims) => string | undefined {
  const accepted = patterns.map(
    (pattern) => new RegExp(`^${pattern.split(/\*+/).map(escapeForRegExp).join(".*")}$`, "s"),
  );
  return ({ sub }) =>
    typeof sub === "string" && accepted.some((pattern) => pattern.test(sub))
      ? undefined
      : "the token's subject may not call this server";
}

const escapeForRegExp = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
