import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PodServer } from "../../processes/pod-server.ts";

/** Writes the file that the strategy `file` watches, with the servers as its endpoints; gives its path. */
export async function writeEndpointsFile(servers: readonly PodServer[], folder: string): Promise<string> {
  const path = join(folder, "endpoints.yaml");
  const entries = servers.map(({ podName, grpcPort }) => {
    return `- address: 127.0.0.1:${grpcPort}\n  metadata: { podName: ${podName} }\n`;
  });
  await writeFile(path, `# the servers of the lab\n${entries.join("")}`);
  return path;
}
