/** An `@`, also escaped once or more. */
const escapedAt = /%(?:25)*40/i;
/** Where a part begins in which a secret may stand: query, fragment, parameter, value, escape, another word. */
const unclear = /[?#;&=%\s]/;

/**
 * Removes what may be a secret from an invalid target, so that an error can show the rest: the user and password before an
 * `@`, and everything from the first character that an address does not have. Takes time linear in the length of the text.
 */
export function redactTarget(text: string): string {
  const [scheme = ""] = /^[a-z][a-z0-9+.-]*:\/+/i.exec(text) ?? [];
  const at = text.lastIndexOf("@");
  if (escapedAt.test(text.slice(at + 1))) return `${scheme}…`;
  const start = at < 0 ? scheme : `${scheme}…`;
  const address = text.slice(at < 0 ? scheme.length : at);
  if (text.trim() === "") return text;
  const end = address.search(unclear);
  return end < 0
    ? start + address
    : `${start}${address.slice(0, end)}${/[?#]/.test(address[end] ?? "") ? address[end] : ""}…`;
}
