import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The PEM files of a certificate and of its key. */
export interface CertificatePair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority, and the certificates of a server and a client that it signed (common names `server`, `client`). */
export interface Certificates {
  readonly caFile: string;
  readonly server: CertificatePair;
  readonly client: CertificatePair;
  /** Deletes the files. */
  remove(): void;
}

/**
 * Creates certificates for a test of TLS, valid for a day, with the program openssl.
 *
 * @param names host names of the server, in addition to its address 127.0.0.1
 * @returns undefined where openssl is not installed
 */
export function makeCertificates(...names: readonly string[]): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-tls-"));
  const remove = () => rmSync(folder, { recursive: true });
  try {
    const sign = createAuthority(folder);
    const hosts = ["IP:127.0.0.1", ...names.map((name) => `DNS:${name}`)].join(",");
    return {
      caFile: join(folder, "ca.pem"),
      // etcd's gateway connects to its own server with the same certificate.
      server: sign("server", `subjectAltName=${hosts}\nextendedKeyUsage=serverAuth,clientAuth`),
      client: sign("client", "extendedKeyUsage=clientAuth"),
      remove,
    };
  } catch (error) {
    remove();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Creates an authority; returns a function that signs with it. */
function createAuthority(folder: string): (name: string, extensions: string) => CertificatePair {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-days", "1", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem");
  return (name, extensions) => {
    const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
    writeFileSync(join(folder, `${name}.ext`), extensions);
    openssl("req", ...key, "-keyout", keyFile, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${name}.ext`];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", certFile, "-days", "1", ...authority);
    return { certFile, keyFile };
  };
}
