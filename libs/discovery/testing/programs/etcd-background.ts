import { createEtcdSource } from "../../src/etcd/index.ts";

/**
 * A program for `background.test.ts`, whose only work is to read: one service, in the background, in the foreground or both.
 * A reader in the foreground reads until there are no endpoints any more.
 */
const [endpoint = "", ...modes] = process.argv.slice(2);

async function read(mode: string): Promise<void> {
  const options = { endpoints: [endpoint], service: "s", credentials: {}, background: mode === "background" };
  for await (const { endpoints = [], error } of createEtcdSource(options).watch()) {
    process.stdout.write(`${mode}: ${error?.code ?? endpoints.length}\n`);
    if (mode === "foreground" && endpoints.length === 0 && !error) return;
  }
}
await Promise.all(modes.map(read));
