import { outcomeOf } from "./execute.ts";
import { root } from "./places.ts";

/** Why no registry of npm packages can be reached; undefined if one can. */
export async function findRegistryProblem(): Promise<string | undefined> {
  const args = ["view", "@grpc/grpc-js", "version", "--fetch-retries=0", "--prefer-online", "--loglevel=error"];
  const env = Object.fromEntries(Object.entries(process.env).map(([name, value = ""]) => [name, value]));
  const { code, stderr } = await outcomeOf("npm", args, { folder: root, env, limitMs: 20_000 });
  if (code === 0) return undefined;
  const [, reason = code] = /npm error code (\S+)/.exec(stderr) ?? [];
  return `no registry can be reached: npm view: ${reason}`;
}
