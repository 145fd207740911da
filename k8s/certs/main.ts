/**
 * Creates a certificate authority and the certificates of server and clients for a workshop: `make certs`. The next run keeps the
 * authority and issues the others again. With openssl, which is on nearly every machine: Node's crypto reads certificates and does
 * not issue them, and a library for it would be a dependency of everybody for a command of few.
 */
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { messageOf } from "@grpc-lb/core";
import { type Flag, integerFlag, runProgram, textFlag } from "@grpc-lb/program";
import { namespaceFlag } from "../cluster/kubectl.ts";
import { stop } from "../command.ts";
import { createFolder } from "../create-folder.ts";
import { hasTools } from "../has-tools.ts";
import { root } from "../image/tag.ts";
import { Authority } from "./authority.ts";

const namesFlag: Flag<readonly string[]> = {
  metavar: "names",
  help: "further names and addresses of the server, separated by commas",
  default: [],
  defaultText: "none",
  parse(text) {
    const names = text.split(/[\s,]+/).filter(Boolean);
    for (const name of names) {
      const isName =
        name.length <= 253 && /^(\*\.)?[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)*$/i.test(name);
      if (!isName && isIP(name) === 0) {
        throw new RangeError(`must be names such as server.example.com, *.example.com or 10.0.0.1, got "${name}"`);
      }
    }
    return names;
  },
};

const flags = {
  out: textFlag({ help: "folder of the files", default: "certs", metavar: "folder" }),
  names: namesFlag,
  days: integerFlag({ help: "days that the certificates are valid", default: 90, min: 1, max: 3_650 }),
  namespace: {
    ...namespaceFlag,
    help: "Kubernetes namespace of the server",
    default: "default",
    defaultText: "default",
  },
};

/** How clients name the server: on this machine, and by its Services. */
function serverNames(namespace: string): string[] {
  const services = ["server", "server-headless"].flatMap((service) => {
    const qualified = `${service}.${namespace}`;
    return [service, qualified, `${qualified}.svc`, `${qualified}.svc.cluster.local`];
  });
  return ["localhost", "127.0.0.1", "::1", ...services];
}

const summary = "Creates a certificate authority and the certificates of server and clients, for a workshop.";

void runProgram({ name: "certs", summary, flags }, async ({ flags, signal }) => {
  if (!(await hasTools("certs", signal))) return 1;
  const { days, namespace } = flags;
  const folder = resolve(root, flags.out);
  try {
    createFolder(folder);
  } catch (error) {
    stop(`cannot create ${folder}: ${messageOf(error)}`);
  }
  const { authority, isNew } = await Authority.open(folder, signal);
  process.stdout.write(`${isNew ? "created" : "kept"} ${join(flags.out, "ca.crt")}\n`);
  const wanted = new Set([...serverNames(namespace), ...flags.names]);
  // Clients may use a name that this run does not repeat.
  const kept = authority.hostsOf("server").filter((host) => !wanted.has(host));
  const hosts = [...wanted, ...kept];
  for (const leaf of [
    // A server calls itself too, to warm up, and then it is a client.
    { name: "server", hosts, usages: ["serverAuth", "clientAuth"] as const },
    { name: "client", hosts: [], usages: ["clientAuth"] as const },
  ]) {
    const isRenewal = await authority.issue({ ...leaf, days });
    const file = join(flags.out, `${leaf.name}.crt`);
    process.stdout.write(`${isRenewal ? "renewed" : "created"} ${file}, valid for ${days} days\n`);
  }
  if (kept.length > 0) {
    const file = join(flags.out, "server.crt");
    process.stdout.write(`${file} keeps the names ${kept.join(", ")}; delete it first to drop them\n`);
  }
  return 0;
});
