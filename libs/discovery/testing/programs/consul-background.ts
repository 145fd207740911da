import { createConsulSource } from "../../src/consul/index.ts";

/**
 * A program for `background.test.ts` that only reads one service: in the background, in the foreground or both. A reader in the
 * foreground reads until there are no endpoints left.
 */
const [port = "", ...modes] = process.argv.slice(2);

async function read(mode: string): Promise<void> {
  const agent = { host: "127.0.0.1", port: Number(port) };
  const source = createConsulSource({ agent, service: "web", background: mode === "background" });
  for await (const { endpoints = [], error } of source.watch()) {
    process.stdout.write(`${mode}: ${error?.code ?? endpoints.length}\n`);
    if (mode === "foreground" && endpoints.length === 0) return;
  }
}
await Promise.all(modes.map(read));
