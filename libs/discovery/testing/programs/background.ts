import { createDnsPollSource } from "../../src/dns/index.ts";
import { createFileSource } from "../../src/file/index.ts";
import { createStaticSource } from "../../src/static/index.ts";

/** A program for `background.test.ts`, that only reads a source until it has two endpoints. */
const [kind = "", background = "", argument = ""] = process.argv.slice(2);
const common = { background: background === "background" };
const [host = "", port = ""] = argument.split(":");
const sources = {
  file: () => createFileSource({ path: argument, ...common }),
  dns: () =>
    createDnsPollSource({
      name: "server.example",
      port: 80,
      server: { host, port: Number(port) },
      refreshMs: 1_000,
      ...common,
    }),
  static: () => createStaticSource({ endpoints: [{ address: { host: "10.0.0.1", port: 80 } }], ...common }),
};
for await (const { endpoints = [] } of sources[kind as keyof typeof sources]().watch()) {
  process.stdout.write(`${endpoints.length}\n`);
  if (endpoints.length === 2) break;
}
