import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PodServer } from "../../processes/pod-server.ts";
import type { ProxyKind, ProxyPlace } from "./l7-proxy.ts";

const configOf = ({ folder }: ProxyPlace) => join(folder, "nginx.conf");

/** nginx, whose list of pods is in its configuration: each change is a reload. */
export const nginx: ProxyKind = {
  name: "nginx",
  program: "nginx",
  args: (place) => ["-c", configOf(place), "-e", "stderr", "-g", "daemon off;"],
  async writePods(pods, place) {
    await writeFile(configOf(place), nginxConfig(pods, place));
  },
  reloadSignal: "SIGHUP",
};

/** nginx's whole configuration. */
export function nginxConfig(pods: readonly PodServer[], { port, folder }: ProxyPlace): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return [
    `pid ${join(folder, "nginx.pid")};`,
    "worker_processes 1;", // with more, each would take its own turns
    "error_log stderr warn;",
    "events {}",
    "http {",
    "  access_log off;",
    ...kinds.map((kind) => `  ${kind}_temp_path ${join(folder, kind)};`),
    "  upstream pods {",
    ...pods.map(({ grpcPort }) => `    server 127.0.0.1:${grpcPort};`),
    "    keepalive 16;",
    "  }",
    "  server {",
    `    listen 127.0.0.1:${port} http2;`,
    "    keepalive_requests 1000000;", // or it would end the client's connection after 1000 calls
    "    location / { grpc_pass grpc://pods; }",
    "  }",
    "}",
    "",
  ].join("\n");
}
