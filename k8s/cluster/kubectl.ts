import { spawn } from "node:child_process";
import { ProgramError, textFlag } from "@grpc-lb/runtime/process";

/** The flag of every program that works in a namespace: NAMESPACE. */
export const namespaceFlag = textFlag({
  help: "namespace to work in",
  default: "",
  defaultText: "the current context's",
  metavar: "name",
});

/** How a run of kubectl ended. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  /** Its last lines of complaint, in one line. */
  readonly problem: string;
}

/** What kubectl is given beside its arguments. */
export interface RunOptions {
  /** Goes to its standard input. */
  readonly input?: string;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Shows what it prints, rather than keeping it. */
  readonly show?: boolean;
}

/** kubectl in one namespace of the current context. */
export interface Kubectl {
  /** The namespace, for messages and for questions about itself. */
  readonly namespace: string;
  /** Runs kubectl; a failure is a value. */
  try(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** Runs kubectl and gives its output; a failure ends the program with kubectl's own reason. */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `run` for `get … -o json`. */
  // biome-ignore lint/suspicious/noExplicitAny: objects of the API, as wide as the server sends them
  get(args: readonly string[]): Promise<any>;
}

/** @param namespace where to work; empty for the current context's, which is then not named to kubectl either. */
export async function createKubectl(namespace: string): Promise<Kubectl> {
  const given = namespace === "" ? [] : ["--namespace", namespace];
  const attempt: Kubectl["try"] = (args, options) => runKubectl([...given, ...args], options);
  const current = await runKubectl(["config", "view", "--minify", "-o", "jsonpath={..namespace}"]);
  const run: Kubectl["run"] = async (args, options) => {
    const { code, stdout, problem } = await attempt(args, options);
    if (code !== 0) stop(`kubectl ${args.slice(0, 2).join(" ")}: ${problem || `exit code ${code}`}`);
    return stdout;
  };
  return {
    namespace: namespace || current.stdout || "default",
    try: attempt,
    run,
    get: async (args) => JSON.parse(await run(["get", ...args, "-o", "json"])),
  };
}

/** Ends the program: one line that says what is wrong and what to do. */
export function stop(message: string): never {
  throw new ProgramError(message, { exitCode: 1 });
}

/**
 * Ends the program when the user may not do one of the things given, each written `verb resource`: before anything is
 * changed, and naming all that is missing.
 */
export async function requireRights(kubectl: Kubectl, wanted: readonly string[]): Promise<void> {
  const answers = await Promise.all(
    wanted.map(async (right) => {
      const { stdout, problem } = await kubectl.try(["auth", "can-i", ...right.split(" ")]);
      if (stdout.trim() === "yes") return null;
      if (!stdout.startsWith("no")) stop(`kubectl auth can-i ${right}: ${problem}`);
      return right;
    }),
  );
  const missing = answers.filter((right) => right !== null);
  if (missing.length === 0) return;
  const byVerb = Map.groupBy(missing, (right) => right.split(" ")[0]);
  const sayings = [...byVerb].map(
    ([verb, rights]) => `${verb} ${rights.map((right) => right.slice(right.indexOf(" ") + 1)).join(", ")}`,
  );
  stop(
    `you may not ${sayings.join("; ")} in namespace ${kubectl.namespace}. Ask the cluster's admin for the role "edit" there, ` +
      "or choose another namespace: NAMESPACE=…",
  );
}

async function runKubectl(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const output = options.show ? "inherit" : "pipe";
  const child = spawn("kubectl", args, {
    stdio: ["pipe", output, "pipe"],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  child.stdin?.on("error", () => {}); // it ended before it read everything; its exit code says why
  child.stdin?.end(options.input ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const code = await new Promise<number>((resolve) => {
    child.on("error", (error) => {
      stderr ||= error.message;
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  const problem = stderr
    .replace(/^(?:[IWE]\d{4} .*|Warning: .*)$/gm, "") // the client library's own log
    .trim()
    .replace(/\s*\n\s*/g, " ");
  return { code, stdout, problem };
}
