/** Why there is no token. Its message contains neither a token nor a secret, so that a call may fail with it. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/** Longer ones do not fit into the headers that servers accept. */
const maxLength = 32_768;

/**
 * @param where for the message: `the file /var/run/secrets/token`
 * @returns the token without the line end of its file
 * @throws TokenError for text that no header can carry
 */
export function checkToken(text: unknown, where: string): string {
  if (typeof text !== "string") throw new TokenError(`${where} gave no text`);
  const token = text.trim();
  if (token === "") throw new TokenError(`${where} is empty`);
  if (token.length > maxLength) throw new TokenError(`${where} has more than ${maxLength} characters`);
  if (!/^[\x21-\x7e]+$/.test(token)) throw new TokenError(`${where} has characters that no token has`);
  return token;
}
