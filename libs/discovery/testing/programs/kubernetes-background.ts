import { createKubernetesSource } from "../../src/kubernetes/index.ts";

/**
 * A program for `background.test.ts`, whose only work is to read: one service, in the background, in the foreground or both.
 * A reader in the foreground reads until there are no endpoints any more.
 */
const [url = "", ...modes] = process.argv.slice(2);
const access = {
  server: new URL(url),
  namespace: "default",
  credentials: async () => ({ headers: {}, tls: {} }),
};

async function read(mode: string): Promise<void> {
  const source = createKubernetesSource({ service: "s", access, background: mode === "background" });
  for await (const { endpoints = [], error } of source.watch()) {
    process.stdout.write(`${mode}: ${error?.code ?? endpoints.length}\n`);
    if (mode === "foreground" && endpoints.length === 0) return;
  }
}
await Promise.all(modes.map(read));
