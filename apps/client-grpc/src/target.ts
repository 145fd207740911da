import { parseTarget, targetSchemes } from "@grpc-lb/discovery";
import type { Flag } from "@grpc-lb/program";

/** The schemes that grpc-js resolves by itself, and ours. */
const schemes: readonly string[] = ["dns", "ipv4", "ipv6", "unix", "unix-abstract", ...targetSchemes];

/**
 * Checks a target, and leaves it as it is. grpc-js takes any text and looks an unknown scheme up in DNS, so that each call
 * would fail of it for ever.
 *
 * @throws RangeError with what was expected and what was got
 */
export function validateTarget(text: string): string {
  const expected = "such as server:30051, dns:///server:30051 or kubernetes:///server:grpc";
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined && !schemes.includes(scheme)) {
    throw new RangeError(`must be a target ${expected}; the scheme "${scheme}" is none of ${schemes.join(", ")}`);
  }
  // Without the slashes too, as grpc-js takes a scheme that it knows for one: `consul:8500` is no host here.
  if (targetSchemes.some((each) => text.startsWith(`${each}:`))) {
    try {
      parseTarget(text);
    } catch (error) {
      throw new RangeError(`is refused: ${(error as Error).message}`);
    }
    return text;
  }
  // What is left of DNS targets and bare ones; the others have no host:port, or several.
  const address = /^(?:ipv4|ipv6|unix|unix-abstract):/.test(text) ? "" : text.replace(/^dns:(\/\/[^/]*\/)?/, "");
  const port = /^[^:]+:([^:]*)$/.exec(address)?.[1];
  if (port !== undefined && !(/^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new RangeError(`must be a target ${expected}, with a port from 1 to 65535; got "${text}"`);
  }
  if (text.trim() === "") throw new RangeError(`must be a target ${expected}, got "${text}"`);
  return text;
}

/** The flag `--target` of this client. */
export const targetFlag: Flag<string> = {
  metavar: "target",
  help: `what to call: any target that grpc-js takes, or one of ${targetSchemes.map((each) => `${each}:`).join(", ")}`,
  default: "localhost:30051",
  defaultText: "localhost:30051",
  parse: validateTarget,
};
