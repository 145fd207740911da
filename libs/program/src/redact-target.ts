/**
 * Removes what may be a secret from an invalid target, so that an error can show the rest: the user and password before an
 * `@`, and everything after a `?` or `#`. Takes time linear in the length of the text.
 */
export function redactTarget(text: string): string {
  const end = text.search(/[?#]/);
  const address = end < 0 ? text : text.slice(0, end);
  const at = address.lastIndexOf("@");
  const [scheme = ""] = /^[a-z][a-z0-9+.-]*:\/+/i.exec(address) ?? [];
  const visible = at < 0 ? address : `${scheme}…${address.slice(at)}`;
  return end < 0 ? visible : `${visible}${text[end]}…`;
}
