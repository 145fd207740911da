import { existsSync, readFileSync } from "node:fs";
import { type Flag, textFlag } from "@grpc-lb/program";
import { type CommandOptions, runCommand, stop } from "../command.ts";

export { stop };

/** The flag of every program that works in a namespace: NAMESPACE. */
export const namespaceFlag: Flag<string> = {
  ...textFlag({
    help: "namespace to work in",
    default: "",
    defaultText: "the current context's",
    metavar: "name",
  }),
  parse(text) {
    if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
      throw new RangeError(`must be a namespace's name (a-z, 0-9, -; at most 63), got "${text}"`);
    return text;
  },
};

/** The result of a kubectl command. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  /** Its error output in one line. */
  readonly problem: string;
}

/** Options of a kubectl command. */
export type RunOptions = Pick<CommandOptions, "input" | "signal" | "show" | "doing" | "limitMs">;

/** The fields of `kubectl config view --minify -o json` that are used here. */
export interface ContextView {
  readonly "current-context"?: string;
  readonly contexts?: readonly { readonly context?: { readonly namespace?: string } }[];
  readonly clusters?: readonly {
    readonly name: string;
    readonly cluster?: { readonly extensions?: readonly { readonly extension?: { readonly provider?: string } }[] };
  }[];
}

/** kubectl in one namespace of one context: a `kubectl config use-context` in between changes nothing. */
export interface Kubectl {
  /** The namespace, for messages and for requests about the namespace itself. */
  readonly namespace: string;
  /** The context that was current at the start. */
  readonly view: ContextView;
  /** The arguments for context and namespace, for code that starts kubectl itself. */
  readonly where: readonly string[];
  /** Runs kubectl for at most 60 s beyond its `--timeout`; a failure is a value. */
  try(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** Runs kubectl and returns its output; a failure ends the program with kubectl's reason. */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `run` for `get … -o json`. */
  // biome-ignore lint/suspicious/noExplicitAny: objects of the API, as wide as the server sends them
  get(args: readonly string[]): Promise<any>;
}

/**
 * @param namespace the namespace; empty for the current context's
 * @param interruption ends kubectl and the program: `runProgram`'s signal
 */
export async function createKubectl(namespace: string, interruption?: AbortSignal): Promise<Kubectl> {
  const current = await runKubectl(["config", "view", "--minify", "-o", "json"], { interruption });
  const view: ContextView = current.code === 0 ? JSON.parse(current.stdout) : {};
  const context = view["current-context"] ?? "";
  const chosen = namespace || (context === "" ? namespaceOfPod() : view.contexts?.[0]?.context?.namespace) || "default";
  const where = [...(context === "" ? [] : ["--context", context]), "--namespace", chosen];

  const attempt: Kubectl["try"] = (args, options) => runKubectl([...where, ...args], { ...options, interruption });
  const run: Kubectl["run"] = async (args, options) => {
    const { code, stdout, problem } = await attempt(args, options);
    if (code !== 0) stop(`kubectl ${args.slice(0, 2).join(" ")}: ${problem || `exit code ${code}`}`);
    return stdout;
  };
  return {
    namespace: chosen,
    view,
    where,
    try: attempt,
    run,
    get: async (args) => JSON.parse(await run(["get", ...args, "-o", "json"])),
  };
}

/** The command that deploys into the namespace: NAMESPACE is left out when it is the context's. */
export function deployCommand({ namespace, view }: Kubectl): string {
  const usual = view.contexts?.[0]?.context?.namespace ?? "default";
  return `make kube-deploy${namespace === usual ? "" : ` NAMESPACE=${namespace}`}`;
}

/** In a pod there is no context, and kubectl uses the pod's service account, in its namespace. */
function namespaceOfPod(): string {
  const file = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}

/**
 * Ends the program if the user lacks one of the rights, each written `verb resource`. It is called before anything changes, and its
 * error names every missing right.
 */
export async function requireRights(kubectl: Kubectl, wanted: readonly string[]): Promise<void> {
  const results = await Promise.all(
    wanted.map(async (right) => {
      const { stdout, problem } = await kubectl.try(["auth", "can-i", ...right.split(" ")]);
      if (stdout.trim() === "yes") return null;
      if (!stdout.startsWith("no")) stop(`kubectl auth can-i ${right}: ${problem}`);
      return right;
    }),
  );
  const missing = results.filter((right) => right !== null);
  if (missing.length === 0) return;
  const byVerb = Map.groupBy(missing, (right) => right.split(" ")[0]);
  const lists = [...byVerb].map(
    ([verb, rights]) => `${verb} ${rights.map((right) => right.slice(right.indexOf(" ") + 1)).join(", ")}`,
  );
  stop(
    `you are not allowed to ${lists.join("; ")} in namespace ${kubectl.namespace}. Ask the cluster's admin for the role "edit" there, ` +
      "or choose another namespace: NAMESPACE=…",
  );
}

/** How long kubectl may take, in milliseconds: its own `--timeout` and time for its requests. */
function limitOf(args: readonly string[]): number {
  const [, seconds = "0"] = /^--timeout=(\d+)s$/.exec(args.find((arg) => arg.startsWith("--timeout=")) ?? "") ?? [];
  return 60_000 + Number(seconds) * 1000;
}

async function runKubectl(args: readonly string[], options: CommandOptions): Promise<Result> {
  const doing = options.doing ?? "a request to the cluster was running";
  const { code, stdout, stderr } = await runCommand("kubectl", args, { limitMs: limitOf(args), ...options, doing });
  if (code === 0 && options.show) {
    for (const [warning] of stderr.matchAll(/^Warning: .*\n?/gm)) process.stderr.write(warning);
  }
  const problem = stderr
    .replace(/^(?:[IWE]\d{4} .*|Warning: .*)$/gm, "") // the client library's own log
    .trim()
    .replace(/\s*\n\s*/g, " ");
  return { code, stdout, problem };
}
