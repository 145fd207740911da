import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Creates a folder and those above it, if they do not exist. Node's own `recursive` never returns where a folder exists and takes no
 * new one, as /proc.
 *
 * @throws Error with the reason of the system
 */
export function createFolder(path: string): void {
  const existing = statSync(path, { throwIfNoEntry: false });
  if (existing?.isDirectory()) return;
  const parent = dirname(path);
  if (!existing && parent !== path) createFolder(parent);
  mkdirSync(path);
}
