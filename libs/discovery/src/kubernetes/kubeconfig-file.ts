import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { messageOf, readTextFile, showFileName } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import { loadOptional } from "../core/optional-package.ts";
import { Entry, isObject, quote } from "./kubeconfig-entry.ts";

/** The context to use, with the cluster and the user that it names. */
export interface KubeconfigContext {
  readonly name: string;
  readonly namespace: string;
  readonly cluster: Entry;
  /** Empty when the context names no user, or one that does not exist, as for kubectl. */
  readonly user: Entry;
}

interface KubeconfigFile {
  readonly path: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/**
 * Reads the context to use from kubeconfig files, by kubectl's rules
 * (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files): of several
 * files in KUBECONFIG, the first that sets a name or the current context wins, and missing files are skipped. Entries that the
 * context does not name are not read.
 *
 * @param path the file. Default: those of KUBECONFIG, else `~/.kube/config`
 * @param contextName the context. Default: the current one
 * @throws DiscoveryError `notFound` when there is no file or no current context, `invalid` for anything that cannot be used
 */
export async function readKubeconfig(path?: string, contextName?: string): Promise<KubeconfigContext> {
  const files = path === undefined ? await readListed() : [await readOne(path)];
  const name = contextName ?? files.map(({ content }) => content["current-context"]).find(Boolean);
  if (name === undefined) throw new DiscoveryError("notFound", "kubernetes: the kubeconfig has no current context");
  if (typeof name !== "string") throw new DiscoveryError("invalid", "kubernetes: current-context must be a string");
  const context = find(files, "context", name);
  if (!context) throw new DiscoveryError("invalid", `kubernetes: the kubeconfig has no context ${quote(name)}`);
  const clusterName = context.text("cluster") ?? "";
  const userName = context.text("user") ?? "";
  const cluster = find(files, "cluster", clusterName);
  if (!cluster) {
    const message = `kubernetes: the kubeconfig's context ${quote(name)} names no cluster that exists`;
    throw new DiscoveryError("invalid", message);
  }
  return {
    name,
    namespace: context.text("namespace") ?? "default",
    cluster,
    user: find(files, "user", userName) ?? new Entry(`user ${quote(userName)}`, {}, ""),
  };
}

function find(files: readonly KubeconfigFile[], kind: "cluster" | "user" | "context", name: string): Entry | undefined {
  for (const { path, content } of files) {
    const list = content[`${kind}s`];
    const found = Array.isArray(list) && list.find((one) => isObject(one) && one.name === name);
    if (!found) continue;
    const fields = found[kind] ?? {};
    if (!isObject(fields)) throw new DiscoveryError("invalid", `kubernetes: ${kind} ${quote(name)} must be an object`);
    return new Entry(`${kind} ${quote(name)}`, fields, resolve(dirname(path)));
  }
  return undefined;
}

async function readListed(): Promise<readonly KubeconfigFile[]> {
  const { KUBECONFIG: list } = process.env;
  const paths = list ? new Set(list.split(delimiter).filter(Boolean)) : [join(homedir(), ".kube", "config")];
  const files = [];
  for (const path of paths) {
    try {
      files.push(await readOne(path));
    } catch (error) {
      if (!(error instanceof DiscoveryError && error.code === "notFound")) throw error;
    }
  }
  if (files.length > 0) return files;
  const missing = list
    ? `none of the files of KUBECONFIG exists: ${[...paths].map(showFileName).join(delimiter)}`
    : "there is no kubeconfig (KUBECONFIG, ~/.kube/config) and no pod";
  throw new DiscoveryError("notFound", `kubernetes: ${missing}`);
}

async function readOne(path: string): Promise<KubeconfigFile> {
  let text: string;
  try {
    text = await readTextFile(path);
  } catch (cause) {
    const isMissing = /^(ENOENT|ENOTDIR)$/.test((cause as NodeJS.ErrnoException).code ?? "");
    const message = `kubernetes: cannot read the kubeconfig: ${messageOf(cause)}`;
    throw new DiscoveryError(isMissing ? "notFound" : "invalid", message, { cause });
  }
  return { path, content: await parse(text, path) };
}

/** Parses YAML as kubectl does: version 1.1, of which JSON is a part. Errors have the line and never the text. */
async function parse(text: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  const refuse = (reason: string, cause?: unknown) =>
    new DiscoveryError("invalid", `kubernetes: cannot read the kubeconfig ${path}: ${reason}`, { cause });
  const yaml = loadOptional("@grpc-lb/discovery/kubernetes", () => import("yaml"));
  const { LineCounter, parseDocument } = await yaml.catch((cause: unknown) => {
    throw refuse(messageOf(cause), cause);
  });
  const lineCounter = new LineCounter();
  let content: unknown;
  try {
    const options = {
      version: "1.1",
      merge: true,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    } as const;
    const document = parseDocument(text, { ...options, lineCounter });
    const [wrong] = document.errors;
    if (wrong) throw refuse(`line ${lineCounter.linePos(wrong.pos[0]).line}: invalid YAML (${wrong.code})`);
    content = document.toJS() ?? {};
  } catch (error) {
    // An alias of nothing or of too much, or too many levels; the message may repeat the text.
    throw error instanceof DiscoveryError ? error : refuse("invalid YAML");
  }
  if (!isObject(content)) throw refuse("it must be an object");
  return content;
}
