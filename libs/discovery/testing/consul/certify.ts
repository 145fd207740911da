import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Files with a key and a certificate for `consul.test` that has signed itself, and so is its own authority. */
export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
  remove(): Promise<void>;
}

/** Makes one; undefined where there is no openssl. */
export async function certify(): Promise<Certificate | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "consul-tls-"));
  const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const remove = () => rm(folder, { recursive: true });
  const names = ["-subj", "/CN=consul.test", "-addext", "subjectAltName=DNS:consul.test"];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  try {
    await promisify(execFile)("openssl", [...request, "-keyout", keyFile, "-out", certFile, ...names]);
    return { keyFile, certFile, remove };
  } catch (error) {
    await remove();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
