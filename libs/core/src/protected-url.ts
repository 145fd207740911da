/**
 * Whether nobody on the network can read or change what is sent to a URL and comes back: https, or http to this machine. It is required
 * where that is a secret, or decides what is trusted.
 */
export function isProtectedUrl({ protocol, hostname }: URL): boolean {
  if (protocol === "https:") return true;
  return protocol === "http:" && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
