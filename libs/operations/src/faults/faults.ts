import { status } from "@grpc/grpc-js";
import { formatDuration, parseDuration, redactAddress } from "@grpc-lb/core";

/** With which probability, from 0 to 1, a call has a fault. */
interface Share {
  readonly share: number;
}

/** What is wrong with a server, on purpose. Each absent fault is not there. */
export interface Faults {
  /** Calls take this much longer. */
  readonly delay?: Share & { readonly ms: number };
  /** Calls fail with this code of gRPC. */
  readonly error?: Share & { readonly code: status };
  /** Calls get no answer, until their client gives up or the faults change. */
  readonly hang?: Share;
  /** The server is not ready, although it serves. */
  readonly isNotServing?: true;
  /** New connections are reset; open ones stay. */
  readonly refusesConnections?: true;
  /** Calls take `slowStartExtraMs` longer at first, and less and less, until none after this time, in milliseconds. */
  readonly slowStartMs?: number;
  /** When the faults end by themselves, in milliseconds from their start. Default: not before they are deleted. */
  readonly forMs?: number;
}

/** How much longer the first call of a slow start takes, in milliseconds. */
export const slowStartExtraMs = 500;

const codes = Object.entries(status).filter((entry): entry is [string, status] => Number(entry[1]) > 0);

type Reader = (value: string | undefined) => Faults;

/** Reads the share behind the last colon: `100ms:10%`. */
function splitShare(value: string): { readonly head: string; readonly share: number } {
  const at = value.lastIndexOf(":");
  return at < 0 ? { head: value, share: 1 } : { head: value.slice(0, at), share: parseShare(value.slice(at + 1)) };
}

function parseShare(text: string): number {
  const percent = /^\d+(\.\d+)?%$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (!(percent > 0 && percent <= 100)) throw new RangeError(`needs a share above 0% and up to 100%, got "${text}"`);
  return percent / 100;
}

function positiveDuration(value: string | undefined): number {
  const ms = parseDuration(value ?? "");
  if (ms === 0) throw new RangeError("must be longer than 0s");
  return ms;
}

const readers: Readonly<Record<string, Reader>> = {
  delay(value = "") {
    const { head, share } = splitShare(value);
    return { delay: { ms: positiveDuration(head), share } };
  },
  error(value = "") {
    const { head, share } = splitShare(value);
    const code = codes.find(([name]) => name === head)?.[1];
    if (code === undefined) {
      throw new RangeError(`must be a code of gRPC such as UNAVAILABLE or RESOURCE_EXHAUSTED, got "${head}"`);
    }
    return { error: { code, share } };
  },
  hang: (value) => ({ hang: { share: value === undefined ? 1 : parseShare(value) } }),
  "not-serving": (value) => withoutValue(value, { isNotServing: true }),
  "refuse-connections": (value) => withoutValue(value, { refusesConnections: true }),
  "slow-start": (value) => ({ slowStartMs: positiveDuration(value) }),
  for: (value) => ({ forMs: positiveDuration(value) }),
};

function withoutValue(value: string | undefined, faults: Faults): Faults {
  if (value !== undefined) throw new RangeError("takes no value");
  return faults;
}

/**
 * Parses faults, separated by spaces, commas or lines: `delay=100ms:10% error=UNAVAILABLE:5% hang:1% not-serving refuse-connections
 * slow-start=30s for=60s`. Without a share every call has the fault.
 *
 * @throws RangeError that names what is wrong
 */
export function parseFaults(text: string): Faults {
  const words = text.split(/[\s,]+/).filter(Boolean);
  let faults: Faults = {};
  const seen = new Set<string>();
  for (const word of words) {
    const [, name = word, value] = /^([^=:]*)[=:](.*)$/s.exec(word) ?? [];
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (!read) {
      throw new RangeError(`unknown fault "${redactAddress(name)}"; known: ${Object.keys(readers).join(", ")}`);
    }
    if (seen.has(name)) throw new RangeError(`${name} is given twice`);
    seen.add(name);
    try {
      faults = { ...faults, ...read(value) };
    } catch (error) {
      throw new RangeError(`${name} ${(error as Error).message}`);
    }
  }
  if (words.length === (seen.has("for") ? 1 : 0)) {
    throw new RangeError("no fault is given, such as delay=100ms:10% error=UNAVAILABLE:5% for=60s");
  }
  return faults;
}

/** Formats faults as `parseFaults` parses them. */
export function formatFaults({ delay, error, hang, ...others }: Faults): string {
  const share = (value: number) => (value === 1 ? "" : `:${Number((value * 100).toPrecision(6))}%`);
  return [
    delay && `delay=${formatDuration(delay.ms)}${share(delay.share)}`,
    error && `error=${status[error.code]}${share(error.share)}`,
    hang && `hang${share(hang.share)}`,
    others.isNotServing && "not-serving",
    others.refusesConnections && "refuse-connections",
    others.slowStartMs !== undefined && `slow-start=${formatDuration(others.slowStartMs)}`,
    others.forMs !== undefined && `for=${formatDuration(others.forMs)}`,
  ]
    .filter(Boolean)
    .join(" ");
}
