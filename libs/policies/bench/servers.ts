import { join } from "node:path";
import { startProgram } from "@grpc-lb/program/testing";

/** Server processes that are there to be called. */
export interface Servers {
  /** `127.0.0.1:port`, one for each. */
  readonly addresses: readonly string[];
  /** The target that names them all. */
  readonly target: string;
  close(): Promise<void>;
}

/** Starts a server for each list of flags, as `server.ts` takes them; resolves when all of them listen. */
export async function startServers(flags: readonly (readonly string[])[]): Promise<Servers> {
  const programs = flags.map((each) => startProgram(join(import.meta.dirname, "server.ts"), each));
  const addresses = await Promise.all(
    programs.map(async ({ line }) => `127.0.0.1:${JSON.parse(await line((text) => text.startsWith("{"))).port}`),
  );
  return {
    addresses,
    target: `ipv4:${addresses.join(",")}`,
    async close() {
      for (const { kill } of programs) kill("SIGKILL");
      await Promise.all(programs.map(({ exited }) => exited));
    },
  };
}
