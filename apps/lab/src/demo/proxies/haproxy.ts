import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PodServer } from "../../processes/pod-server.ts";
import type { ProxyKind, ProxyPlace } from "./l7-proxy.ts";

const configOf = ({ folder }: ProxyPlace) => join(folder, "haproxy.cfg");

/** HAProxy, whose list of pods is in its configuration: each change is a reload of its worker. */
export const haproxy: ProxyKind = {
  name: "haproxy",
  program: "haproxy",
  args: (place) => ["-W", "-db", "-f", configOf(place)],
  async writePods(pods, place) {
    await writeFile(configOf(place), haproxyConfig(pods, place));
  },
  reloadSignal: "SIGUSR2",
};

/** HAProxy's whole configuration. */
export function haproxyConfig(pods: readonly PodServer[], { port }: ProxyPlace): string {
  return [
    "global",
    "  nbthread 1", // with more, each would take its own turns
    "defaults",
    "  mode http",
    "  timeout connect 1s",
    "  timeout client 1h",
    "  timeout server 1h",
    "  option redispatch 1",
    "frontend grpc",
    `  bind 127.0.0.1:${port} proto h2`,
    "  default_backend pods",
    "backend pods",
    "  balance roundrobin",
    ...pods.map(({ podName, grpcPort }) => `  server ${podName} 127.0.0.1:${grpcPort} proto h2`),
    "",
  ].join("\n");
}
