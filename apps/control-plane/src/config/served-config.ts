import { messageOf } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";
import type { Config } from "./config.ts";
import { configOf } from "./read-config.ts";
import { toMap } from "./serve-flag.ts";

/** The configuration of `--serve`; undefined for one of a file. @throws ProgramError with exit code 2 for flags that do not fit */
export function readServedConfig(values: {
  readonly serve: readonly (readonly [string, string])[];
  readonly envoyPort: readonly (readonly [string, number])[];
  readonly steering: "off" | "orca" | "lrs";
  readonly config: string;
}): Config | undefined {
  const { serve, envoyPort, steering, config } = values;
  try {
    if ((config === "") === (serve.length === 0)) {
      throw new RangeError(`${config === "" ? "needs" : "takes"} either --serve name=target or --config file`);
    }
    if (config === "") {
      const services = toMap("--serve", serve);
      const ports = toMap("--envoy-port", envoyPort);
      const unknown = [...ports.keys()].find((name) => !services.has(name));
      if (unknown !== undefined) throw new RangeError(`--envoy-port names ${unknown}, which --serve does not`);
      return configOf(services, ports, steering);
    }
    if (envoyPort.length > 0 || steering !== "off") {
      throw new RangeError("--envoy-port and --steering are fields of the file when there is a --config");
    }
    return undefined;
  } catch (cause) {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 2 });
  }
}
