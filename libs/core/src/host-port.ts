/** A host as it stands before a port: an IPv6 address in brackets. */
export function bracketHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** The inverse of `bracketHost`, also for the `hostname` of a URL. */
export function unbracketHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** `host:port`, an IPv6 host in brackets. */
export function formatHostPort(host: string, port: number): string {
  return `${bracketHost(host)}:${port}`;
}

/** The host of `host:port`, an IPv6 host without brackets. grpc-js writes peers without them: `fd00::7:51234`. A text without a port is the host. */
export function hostOfAddress(address: string): string {
  const colon = address.lastIndexOf(":");
  return unbracketHost(colon === -1 ? address : address.slice(0, colon));
}

/** Whether this is the number of a port that can be called: a whole number from 1 to 65535. */
export function isPortNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

/** Reads the digits of a port; undefined for what is no number from 1 to 65535. */
export function parsePortNumber(text: string): number | undefined {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  return isPortNumber(port) ? port : undefined;
}
