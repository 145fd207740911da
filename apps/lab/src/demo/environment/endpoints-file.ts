import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PodServer } from "../../processes/pod-server.ts";

/** The YAML file that the strategy `file` watches. */
export class EndpointsFile {
  readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, "endpoints.yaml");
  }

  /** Replaces the file at once, so that no reader sees a part of it. */
  async write(servers: readonly PodServer[]): Promise<void> {
    const entries = servers.map(({ podName, grpcPort }) => {
      return `- address: 127.0.0.1:${grpcPort}\n  metadata: { podName: ${podName} }\n`;
    });
    const next = `${this.path}.next`;
    await writeFile(next, `# the servers of the lab\n${entries.join("")}`);
    await rename(next, this.path);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}
