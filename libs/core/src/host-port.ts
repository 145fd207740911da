/** A host as it stands before a port: an IPv6 address in brackets. */
export function bracketHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** `host:port`, an IPv6 host in brackets. */
export function formatHostPort(host: string, port: number): string {
  return `${bracketHost(host)}:${port}`;
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
