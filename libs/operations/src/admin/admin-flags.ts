import { type Flag, portFlag } from "@grpc-lb/program";

const { parse, metavar, isListenPort } = portFlag({ help: "", default: 0 });

const adminPort = (answers: string): Flag<number | undefined> => ({
  ...(metavar !== undefined && { metavar }),
  ...(isListenPort && { isListenPort }),
  help: `port for ${answers}; 0 for a free one`,
  default: undefined,
  defaultText: "off",
  parse,
});

/** The flag of a program that has an admin port. Undefined: it has none, and loads nothing for it. */
export const adminFlags = { adminPort: adminPort("/metrics, /healthz, /readyz") };

/** The same of a client, which has `endpointsRoutes` too. */
export const clientAdminFlags = { adminPort: adminPort("/metrics, /healthz, /readyz, /debug/endpoints") };
