import { isIP } from "node:net";
import { type Retries, type Route, retryConditions } from "./config.ts";
import type { Fields } from "./fields.ts";

const milliseconds = { min: 1 };

/** Reads how the calls of a service are routed. @throws FieldError */
export function readRoute(fields: Fields): Route {
  return {
    timeoutMs: fields.duration("timeout", undefined, milliseconds),
    retries: fields.object("retries", readRetries),
    hashHeader: readHeader(fields, "hashHeader"),
    envoyPort: fields.integer("envoyPort", undefined, { min: 1, max: 65_535 }),
    envoyAddress: readAddress(fields, "envoyAddress", "0.0.0.0"),
  };
}

/** The name of a header that all clients can hash: gRPC has no other names, and hashes no binary header (gRFC A42). */
function readHeader(fields: Fields, name: string): string | undefined {
  const header = fields.text(name, undefined)?.toLowerCase();
  if (header === undefined || (/^[0-9a-z_.-]+$/.test(header) && !header.endsWith("-bin"))) return header;
  const got = header.endsWith("-bin") ? "a binary header" : "another text";
  throw fields.wrong(
    name,
    `must be a header's name of letters, digits, "-", "_" and ".", not of a binary header (-bin), got ${got}`,
  );
}

function readAddress(fields: Fields, name: string, fallback: string): string {
  const address = fields.text(name, fallback);
  if (fields.has(name) && !fields.has("envoyPort")) throw fields.wrong(name, "has no effect without envoyPort");
  if (isIP(address) === 0) throw fields.wrong(name, "must be an IP address");
  return address;
}

function readRetries(fields: Fields): Retries {
  const baseBackoffMs = fields.duration("baseBackoff", 25, milliseconds);
  const maxBackoffMs = fields.duration("maxBackoff", 10 * baseBackoffMs, milliseconds);
  if (maxBackoffMs < baseBackoffMs) throw fields.wrong("maxBackoff", "must be at least baseBackoff");
  return {
    attempts: fields.integer("attempts", 1, { min: 1, max: 10 }),
    on: fields.choices("on", retryConditions, ["unavailable"]),
    baseBackoffMs,
    maxBackoffMs,
  };
}
