import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { messageOf } from "@grpc-lb/core";
import { type Entry, isObject } from "./kubeconfig-entry.ts";

/** What a plugin answered. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** When it expires, in milliseconds since 1970. Undefined: not before the server refuses it. */
  readonly expiresMs: number | undefined;
}

/** How a plugin is run. */
export interface ExecOptions {
  /** The cluster, for `provideClusterInfo`, in the field names of the ExecCredential. */
  readonly cluster: object;
  /** Whether the plugin does not keep this process alive. */
  readonly background: boolean;
}

const apiVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
/** Of the answer and of what the plugin writes to stderr, in characters. */
const maxOutputLength = 1024 * 1024;
const maxStderrLength = 4_096;

/**
 * Runs an exec plugin (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins).
 * It has no stdin, as the process may be a server. A command with a slash is relative to the kubeconfig's folder.
 *
 * @param exec the field `exec` of a user
 * @param signal ends the plugin
 * @throws Error that names the command; it has what the plugin wrote to stderr, without the values of its environment
 */
export async function runExecPlugin(exec: Entry, options: ExecOptions, signal: AbortSignal): Promise<ExecCredential> {
  const apiVersion = exec.text("apiVersion");
  if (!apiVersions.includes(apiVersion ?? "")) throw exec.error(`apiVersion must be one of ${apiVersions.join(", ")}`);
  if (exec.text("interactiveMode") === "Always") throw exec.error("interactiveMode Always: there is no terminal here");
  const name = exec.text("command");
  if (name === undefined) throw exec.error("command is required");
  const command = name.includes("/") ? (exec.path("command") ?? name) : name;
  const cluster = exec.flag("provideClusterInfo") ? { cluster: options.cluster } : {};
  const info = JSON.stringify({ kind: "ExecCredential", apiVersion, spec: { ...cluster, interactive: false } });
  const own = exec.children("env").map((one) => [one.text("name") ?? "", one.text("value") ?? ""] as const);
  const env = { ...process.env, ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: info };

  const child = spawn(command, [...exec.texts("args")], { env, stdio: ["ignore", "pipe", "pipe"] });
  const pipes = [child.stdout, child.stderr] as unknown as { destroy(): void; unref(): void }[];
  if (options.background) for (const handle of [child, ...pipes]) handle.unref();
  const end = () => {
    child.kill();
    for (const pipe of pipes) pipe.destroy(); // processes that the plugin started may hold the other ends
  };
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (stdout.length > maxOutputLength) end();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-maxStderrLength);
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.once("error", reject); // a command that does not exist; "close" follows
  child.once("close", (code, killedBy) =>
    resolve(code === null ? `ended by ${killedBy}` : code ? `exit code ${code}` : ""),
  );
  try {
    const failure = await promise.catch((cause) => {
      const hint = exec.text("installHint");
      throw exec.error(`${messageOf(cause)}${hint === undefined ? "" : `: ${hint}`}`, cause);
    });
    if (stdout.length > maxOutputLength)
      throw exec.error(`${command}: the answer is longer than ${maxOutputLength} characters`);
    if (failure !== "") {
      const secrets = [...own.map(([, value]) => value), ...secretArguments(exec.texts("args"))];
      throw exec.error([`${command}: ${failure}`, showStderr(stderr, secrets)].filter(Boolean).join(": "));
    }
    return readAnswer(stdout, apiVersion, (reason) => exec.error(`${command}: ${reason}`));
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function readAnswer(stdout: string, apiVersion: string | undefined, refuse: (reason: string) => Error): ExecCredential {
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw refuse("the answer is not valid JSON"); // the message of the parser repeats the text
  }
  if (!isObject(answer) || answer.kind !== "ExecCredential" || answer.apiVersion !== apiVersion) {
    throw refuse(`the answer must be an ExecCredential of ${apiVersion}`);
  }
  const { status } = answer;
  if (!isObject(status)) throw refuse("the answer has no status");
  const text = (field: string) => {
    const value = status[field] ?? "";
    if (typeof value !== "string") throw refuse(`status.${field} must be a string`);
    return value === "" ? undefined : value;
  };
  const [token, cert, key] = [text("token"), text("clientCertificateData"), text("clientKeyData")];
  if ((cert === undefined) !== (key === undefined)) throw refuse("the status has a certificate or a key, and not both");
  if (token === undefined && cert === undefined) throw refuse("the status has no token and no certificate");
  if (cert !== undefined && !isCertificate(cert))
    throw refuse("status.clientCertificateData is not a valid certificate");
  const expiry = text("expirationTimestamp");
  const expiresMs = expiry === undefined ? undefined : Date.parse(expiry);
  if (Number.isNaN(expiresMs)) throw refuse("status.expirationTimestamp is not a valid time");
  return { token, cert, key, expiresMs };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** `value` of `--flag=value`, and of `--client-secret value` and its like. */
function secretArguments(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, at) => {
    if (arg.startsWith("-") && arg.includes("=")) return [arg.slice(arg.indexOf("=") + 1)];
    return /^-.*(secret|password|token)$/i.test(args[at - 1] ?? "") ? [arg] : [];
  });
}

/** The last words of a plugin on one line, without what looks like a secret. */
function showStderr(stderr: string, secrets: readonly string[]): string {
  let text = stderr;
  for (const secret of secrets) if (secret.length > 3) text = text.replaceAll(secret, "***");
  return text
    .replace(/\beyJ[\w-]+(\.[\w-]*)*/g, "***")
    .replace(/((?:token|password|secret|bearer)["']?\s*[:= ]\s*["']?)[^\s"']+/gi, "$1***")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(-300);
}
