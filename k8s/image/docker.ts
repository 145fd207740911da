import { type CommandOptions, runCommand, stop } from "../command.ts";

/** Docker on this machine. */
export interface Docker {
  /** Runs docker and gives what it prints; a failure ends the program with `what` and docker's own reason. */
  run(args: readonly string[], what: string, options?: CommandOptions): Promise<string>;
  /** Whether docker has the image. */
  hasImage(image: string): Promise<boolean>;
  /** What the engine builds for when nothing else is asked: `linux/amd64`. */
  readonly platform: string;
}

/** Docker, known to be there and to answer; ends the program in one line when it does not. */
export async function requireDocker(interruption: AbortSignal): Promise<Docker> {
  const attempt = (args: readonly string[], options: CommandOptions = {}) =>
    runCommand("docker", args, { ...options, interruption });
  const doing = "docker was asked for its version";
  const engine = await attempt(["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"], { doing });
  if (engine.code === 127) stop("docker is missing, which has the images; see https://docs.docker.com/get-docker");
  if (engine.code !== 0) {
    const reason = engine.stderr.trim().split("\n").at(-1);
    stop(`docker's engine does not answer, which has the images; start it, or be allowed to use it (${reason})`);
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
