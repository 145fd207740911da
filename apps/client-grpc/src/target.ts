import { isIPv4, isIPv6 } from "node:net";
import { messageOf, parsePortNumber, redactAddress, unbracketHost } from "@grpc-lb/core";
import { parseTarget, targetSchemes } from "@grpc-lb/discovery";
import type { Flag } from "@grpc-lb/program";

/** The schemes that grpc-js resolves by itself, and those of discovery. */
const schemes: readonly string[] = ["dns", "ipv4", "ipv6", "unix", "unix-abstract", ...targetSchemes];

/** Whether a target is one of gRPC's own xDS client, which finds its control plane by a bootstrap file: `xds:///name`. */
export const isProxyless = (target: string): boolean => target.startsWith("xds:///");

/**
 * Checks a target, and returns it unchanged. grpc-js takes any text and resolves an unknown scheme by DNS, so that every call
 * fails.
 *
 * @throws RangeError with the expected form and the text without what may be a secret
 */
export function validateTarget(text: string): string {
  const expected = "such as server:30051, dns:///server:30051 or kubernetes:///server:grpc";
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined && !schemes.includes(scheme)) {
    throw new RangeError(
      `must be a target ${expected}; unknown scheme "${scheme}", known schemes: ${schemes.join(", ")}`,
    );
  }
  if (isProxyless(text)) {
    if (/^xds:\/\/\/[^/?#\s]+$/.test(text)) return text;
    throw new RangeError(
      "must name a listener after a third slash: xds:///server, or a control plane: xds://host:18000/server",
    );
  }
  // Without the slashes too: grpc-js reads `consul:8500` as a target of the scheme consul, not as a host.
  if (targetSchemes.some((each) => text.startsWith(`${each}:`))) {
    try {
      parseTarget(text);
    } catch (error) {
      throw new RangeError(`is invalid: ${messageOf(error)}`);
    }
    return text;
  }
  const family = /^(ipv[46]):/.exec(text)?.[1];
  if (family) requireAddresses(text, family);
  if (/^dns:\/\/[^/]+\/?$/.test(text)) {
    throw new RangeError(
      `must name a host after a third slash: dns:///${redactAddress(text.slice("dns://".length).replace(/\/$/, ""))}`,
    );
  }
  // The host:port of a DNS target or of a bare one; the other schemes have none, or several.
  const address = /^(?:ipv4|ipv6|unix|unix-abstract):/.test(text) ? "" : text.replace(/^dns:(\/\/[^/]*\/)?/, "");
  if (address.includes("@")) throw new RangeError("must not have a user or a password");
  const port = /^[^:]+:([^:]*)$/.exec(address)?.[1];
  if (port !== undefined && parsePortNumber(port) === undefined) {
    throw new RangeError(`must be a target ${expected}, with a port from 1 to 65535; got "${redactAddress(text)}"`);
  }
  if (text.trim() === "") throw new RangeError(`must be a target ${expected}, got "${text}"`);
  return text;
}

/**
 * grpc-js takes addresses only, separated by commas; a port is optional.
 *
 * @throws RangeError that names the first wrong one
 */
function requireAddresses(text: string, family: string): void {
  const isAddress = family === "ipv4" ? isIPv4 : isIPv6;
  for (const one of text.replace(/^ipv[46]:(\/\/\/?)?/, "").split(",")) {
    const [, bracketed, plain = one, port] = /^(?:\[(.*)\]|([^:]*)):([^:\]]*)$/.exec(one) ?? [];
    const host = bracketed ?? unbracketHost(plain);
    const isPort = port === undefined || parsePortNumber(port) !== undefined;
    if (isAddress(host) && isPort) continue;
    const example = family === "ipv4" ? "127.0.0.1:30051" : "[::1]:30051";
    throw new RangeError(`must list addresses such as ${family}:${example}, got "${redactAddress(one)}"`);
  }
}

/** The flag `--target` of this client. */
export const targetFlag: Flag<string> = {
  metavar: "target",
  help: `what to call: any target of grpc-js, or one of ${targetSchemes.map((each) => `${each}:`).join(", ")}`,
  default: "localhost:30051",
  defaultText: "localhost:30051",
  parse: validateTarget,
};
