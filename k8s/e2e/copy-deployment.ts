import type { Kubectl } from "../cluster/kubectl.ts";

/** How a copy differs from its Deployment. */
export interface CopyChanges {
  /** Labels of its pods in addition to those of the Deployment; `app` selects the copy's pods, and is its name by default. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Default: that of the Deployment. */
  readonly replicas?: number;
  /** Variables that are added or replaced. */
  readonly env?: Readonly<Record<string, string>>;
  /** Secrets of its volumes that are replaced, by their names. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Replaces the program and its arguments. */
  readonly command?: readonly string[];
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName: string };
}

/** Creates a Deployment like `from`, except for these changes. Its pods end at once when they are deleted if it has another program. */
export async function copyDeployment(
  kubectl: Kubectl,
  from: string,
  name: string,
  { labels = { app: name }, replicas, env = {}, secrets = {}, command, nodeSelector }: CopyChanges,
): Promise<void> {
  const { metadata, spec } = await kubectl.get(["deployment", from]);
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const volumes = (pod.volumes ?? []).map((volume: Volume) => {
    const secretName = secrets[volume.secret?.secretName ?? ""];
    return secretName === undefined ? volume : { ...volume, secret: { ...volume.secret, secretName } };
  });
  const kept = container.env.filter((variable: { name: string }) => !(variable.name in env));
  const given = Object.entries(env).map(([variable, value]) => ({ name: variable, value }));
  const program = command && { command, args: [], startupProbe: null, livenessProbe: null, readinessProbe: null };
  const podLabels = { ...spec.template.metadata.labels, ...labels };
  const object = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: metadata.labels },
    spec: {
      replicas: replicas ?? spec.replicas,
      selector: { matchLabels: { app: podLabels.app, ...labels } },
      template: {
        metadata: { labels: podLabels, annotations: spec.template.metadata.annotations },
        spec: {
          ...pod,
          containers: [{ ...container, env: [...kept, ...given], ...program }],
          volumes,
          ...(command && { terminationGracePeriodSeconds: 1 }),
          ...(nodeSelector && { nodeSelector }),
        },
      },
    },
  };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
}

/** Creates a Service with the ports of `from` for the pods of a copy. */
export async function copyService(kubectl: Kubectl, from: string, name: string): Promise<void> {
  const { spec } = await kubectl.get(["service", from]);
  const ports = spec.ports.map(({ name, port, targetPort, appProtocol }: Record<string, unknown>) => ({
    ...{ name, port, targetPort, appProtocol },
  }));
  const object = { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: { app: name }, ports } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
}
