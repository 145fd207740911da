import { type Flag, portFlag } from "@grpc-lb/program";

const { parse, metavar } = portFlag({ help: "", default: 0 });

const adminPort: Flag<number | undefined> = {
  ...(metavar !== undefined && { metavar }),
  help: "port for metrics, probes and, on a client, /debug/endpoints; 0 for a free one",
  default: undefined,
  defaultText: "off",
  parse,
};

/** The flag of a program that has an admin port. Undefined: it has none, and loads nothing for it. */
export const adminFlags = { adminPort };
