import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf } from "@grpc-lb/core";
import { type Flag, textFlag } from "@grpc-lb/program";
import { root } from "../image/tag.ts";
import { type Component, componentLabel } from "./components.ts";
import { type Kubectl, stop } from "./kubectl.ts";
import { ours } from "./objects.ts";

/** The flag CERTS of kube-deploy. */
export const certsFlag: Flag<string> = textFlag({
  help: "folder of make certs, for the Secrets of COMPONENTS=tls and mtls",
  default: "certs",
  metavar: "folder",
});

/** The Secrets of a component, each with the name of its files in the folder of `make certs`. */
const secretsOf: Partial<Record<Component, Readonly<Record<string, string>>>> = {
  tls: { "server-tls": "server" },
  mtls: { "server-tls": "server", "client-tls": "client" },
};

/**
 * The Secrets of the wanted components, of the form that cert-manager writes too: tls.crt, tls.key and ca.crt.
 * Ends the program if a file cannot be read.
 */
export function readSecrets(wanted: readonly Component[], folder: string): readonly object[] {
  const [ourKey = "", ourValue = ""] = ours.split("=");
  return wanted.flatMap((component) =>
    Object.entries(secretsOf[component] ?? {}).map(([name, files]) => {
      const read = (file: string) => {
        const path = join(folder, file);
        try {
          return readFileSync(resolve(root, path)).toString("base64");
        } catch (error) {
          const advice = "create it by make certs NAMESPACE=…, or set its folder by CERTS=…";
          stop(`COMPONENTS=${component} needs ${path}: ${messageOf(error)}; ${advice}`);
        }
      };
      return {
        apiVersion: "v1",
        kind: "Secret",
        type: "kubernetes.io/tls",
        metadata: { name, labels: { [ourKey]: ourValue, [componentLabel]: component } },
        data: { "tls.crt": read(`${files}.crt`), "tls.key": read(`${files}.key`), "ca.crt": read("ca.crt") },
      };
    }),
  );
}

/** Applies Secrets by the server: kubectl would write their keys into an annotation. */
export async function applySecrets(kubectl: Kubectl, secrets: readonly object[]): Promise<void> {
  if (secrets.length === 0) return;
  const list = { apiVersion: "v1", kind: "List", items: secrets };
  const args = ["apply", "--server-side", "--force-conflicts", "--field-manager=grpc-lb", "-f", "-"];
  await kubectl.run(args, { input: JSON.stringify(list), show: true, doing: "the certificates were applied" });
}
