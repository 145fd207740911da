import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Files of an authority, of a server at 127.0.0.1 and `etcd.example`, and of a client. */
export interface Certificates {
  readonly caFile: string;
  readonly server: { readonly certFile: string; readonly keyFile: string };
  readonly client: { readonly certFile: string; readonly keyFile: string };
  remove(): void;
}

/** Makes an authority and what it signs, valid for a day; undefined where there is no openssl. */
export function makeCertificates(): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-tls-"));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const sign = (name: string, extensions: string) => {
    const pair = { certFile: file(`${name}.pem`), keyFile: file(`${name}.key`) };
    writeFileSync(file(`${name}.ext`), extensions);
    openssl("req", ...key, "-keyout", pair.keyFile, "-out", file(`${name}.csr`), "-subj", `/CN=${name}`);
    const authority = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"];
    const request = ["-req", "-in", file(`${name}.csr`), "-out", pair.certFile, "-days", "1"];
    openssl("x509", ...request, ...authority, "-extfile", file(`${name}.ext`));
    return pair;
  };
  try {
    openssl("req", "-x509", ...key, "-days", "1", "-subj", "/CN=ca", "-keyout", file("ca.key"), "-out", file("ca.pem"));
  } catch (error) {
    rmSync(folder, { recursive: true });
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return {
    caFile: file("ca.pem"),
    // etcd's gateway is a client of its own server, by the same certificate.
    server: sign("server", "subjectAltName=IP:127.0.0.1,DNS:etcd.example\nextendedKeyUsage=serverAuth,clientAuth"),
    client: sign("client", "extendedKeyUsage=clientAuth"),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
