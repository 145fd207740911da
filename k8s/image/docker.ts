import { type CommandOptions, runCommand, stop } from "../command.ts";

/** Docker on this machine. */
export interface Docker {
  /** Runs docker and returns its output; a failure ends the program with `what` and docker's reason. */
  run(args: readonly string[], what: string, options?: CommandOptions): Promise<string>;
  /** Whether docker has the image. */
  hasImage(image: string): Promise<boolean>;
  /** The engine's default platform: `linux/amd64`. */
  readonly platform: string;
}

/** Docker, after a check that its engine answers; ends the program in one line otherwise. */
export async function requireDocker(interruption: AbortSignal): Promise<Docker> {
  const attempt = (args: readonly string[], options: CommandOptions = {}) =>
    runCommand("docker", args, { ...options, interruption });
  const doing = "the version of docker was read";
  const engine = await attempt(["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"], { doing });
  if (engine.code === 127) stop("docker is missing; see https://docs.docker.com/get-docker");
  if (engine.code !== 0) {
    const reason = engine.stderr.trim().split("\n").at(-1);
    stop(`docker's engine does not answer; start it, with the right to use it (${reason})`);
  }
  return {
    async run(args, what, options) {
      const { code, stdout, stderr } = await attempt(args, options);
      if (code !== 0) stop(`${what}:\n${stderr.trim()}`);
      return stdout;
    },
    hasImage: async (image) => (await attempt(["image", "inspect", image])).code === 0,
    platform: engine.stdout.trim(),
  };
}
