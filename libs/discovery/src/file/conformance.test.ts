import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type SourceWorld, sourceBehaviours } from "../../testing/source-conformance.ts";
import { formatAddress } from "../core/address.ts";
import { createFileSource } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "grpc-lb-conformance-"));
after(() => rmSync(folder, { recursive: true }));
afterEach(assertNothingLeft);

type Entry = { readonly address: string; readonly weight?: number };
const pathOf = (service: string) => join(folder, `${service}.json`);
const read = (path: string): Entry[] => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : []);

function write(path: string, entries: readonly Entry[]): void {
  writeFileSync(`${path}.new`, JSON.stringify(entries));
  renameSync(`${path}.new`, path);
}

/** A service is a file. What it lacks, it lacks: there is no server that could fail. */
const world: SourceWorld = {
  createSource(service) {
    const path = pathOf(service);
    write(path, read(path));
    return createFileSource({ path, debounceMs: 5 });
  },
  async put(service, { address, weight }) {
    const path = pathOf(service);
    const entry = { address: formatAddress(address), ...(weight !== undefined && { weight }) };
    const entries = read(path);
    const n = entries.findIndex((each) => each.address === entry.address);
    write(path, n < 0 ? [...entries, entry] : entries.with(n, entry));
  },
  async remove(service, address) {
    const path = pathOf(service);
    write(
      path,
      read(path).filter((each) => each.address !== formatAddress(address)),
    );
  },
  hasWeights: true,
};

for (const [n, { name, cannot, run }] of sourceBehaviours.entries()) {
  test(name, { skip: cannot(world) ?? false }, () => run(world, `service-${n}`));
}
