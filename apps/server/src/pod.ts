import { hostname } from "node:os";
import { type Flag, textFlag } from "@grpc-lb/program";
import { Pod } from "@grpc-lb/protos/pod/v1";
import manifest from "../package.json" with { type: "json" };

const fromDownwardApi = (help: string) => textFlag({ help, default: "", defaultText: "unknown" });

const podNameFlag: Flag<string> = {
  metavar: "name",
  help: "name to answer with",
  default: "",
  defaultText: "the host name",
  parse(text) {
    // Kubernetes leaves "$(POD_NAME)" as it is when the manifest does not define the variable: an error, not a name.
    if (!/^[\w.-]{1,253}$/.test(text)) throw new RangeError(`must be a pod name, got "${text}"`);
    return text;
  },
};

/** The flags with the fields of the pod; the manifest fills them through the Downward API. */
export const podFlags = {
  podName: podNameFlag,
  podNamespace: fromDownwardApi("namespace of the pod"),
  nodeName: fromDownwardApi("node that the pod runs on"),
  zone: fromDownwardApi("zone of that node"),
  podIp: fromDownwardApi("address of the pod"),
  appVersion: textFlag({
    help: "version to answer with",
    default: manifest.version,
    defaultText: "the version of the package",
  }),
};

/** Returns the pod that the server answers with. Without `--pod-name`, as outside Kubernetes, its name is the host name. */
export function describePod(flags: { readonly [K in keyof typeof podFlags]: string }): Pod {
  return Pod.fromPartial({
    name: flags.podName || hostname(),
    namespace: flags.podNamespace,
    node: flags.nodeName,
    zone: flags.zone,
    ip: flags.podIp,
    version: flags.appVersion,
  });
}
