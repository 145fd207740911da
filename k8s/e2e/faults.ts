import { randomBytes } from "node:crypto";
import type { Kubectl } from "../cluster/kubectl.ts";
import { runScript } from "./exec.ts";

const secret = "faults";
const folder = "/var/run/secrets/grpc-lb-faults";

/** Lets the servers take faults, with a token of a Secret, and sets further variables of theirs. The caller waits for the rollout. */
export async function allowFaults(kubectl: Kubectl, env: Readonly<Record<string, string>>): Promise<void> {
  const token = randomBytes(32).toString("base64url");
  const object = { apiVersion: "v1", kind: "Secret", metadata: { name: secret }, stringData: { token } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
  const variables = Object.entries({ ...env, FAULTS_TOKEN_FILE: `${folder}/token` });
  const container = {
    name: "server",
    env: variables.map(([name, value]) => ({ name, value })),
    volumeMounts: [{ name: secret, mountPath: folder, readOnly: true }],
  };
  const pod = {
    securityContext: { fsGroup: 65532 },
    containers: [container],
    volumes: [{ name: secret, secret: { secretName: secret, defaultMode: 0o440 } }],
  };
  const patch = JSON.stringify({ spec: { template: { spec: pod } } });
  await kubectl.run(["patch", "deployment", "server", "--type=strategic", "--patch", patch]);
}

/** Sets the faults of a server, or ends them with an empty text; with another token if one is given. Returns the answer in one line. */
export async function setFaults(kubectl: Kubectl, pod: string, faults: string, token?: string): Promise<string> {
  const script = `
    const token = ${JSON.stringify(token)} ?? require("node:fs").readFileSync("${folder}/token", "utf8").trim();
    const method = ${JSON.stringify(faults === "" ? "DELETE" : "PUT")};
    const body = ${JSON.stringify(faults)} || undefined;
    fetch("http://127.0.0.1:9464/faults", { method, headers: { authorization: "Bearer " + token }, body })
      .then(async (answer) => console.log(answer.status + " " + (await answer.text())));`;
  return (await runScript(kubectl, `pod/${pod}`, script)).trim();
}
