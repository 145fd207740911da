import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

/** What a test authority issues. */
export interface TestLeaf {
  /** Names of the subject. Default: none, as of a client. */
  readonly hosts?: readonly string[];
  /** Whether one with `hosts` has the address 127.0.0.1, too. Default: true. */
  readonly hasAddress?: boolean;
  /** When it expires; it is valid from 2020 on. Default: in a day. */
  readonly expires?: Date;
}

/** A certificate authority for a test. */
export interface TestAuthority {
  readonly caFile: string;
  /** Issues a certificate with the common name `name`. A second one of that name replaces the files of the first. */
  issue(name: string, leaf?: TestLeaf): CertificatePair;
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
  const authority = makeAuthority();
  if (!authority) return undefined;
  const { caFile, issue, remove } = authority;
  return { caFile, server: issue("server", { hosts: names }), client: issue("client"), remove };
}

/**
 * Creates a certificate authority, with the program openssl; undefined where that is not installed.
 *
 * @param existing issues for this one, whose files stay as they are
 */
export function makeAuthority(existing?: CertificatePair): TestAuthority | undefined {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-tls-"));
  const remove = () => rmSync(folder, { recursive: true });
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    if (existing) {
      copyFileSync(existing.certFile, join(folder, "ca.pem"));
      copyFileSync(existing.keyFile, join(folder, "ca.key"));
    } else openssl("req", "-x509", ...key, "-days", "1", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem");
  } catch (error) {
    remove();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const issue = (name: string, { hosts, hasAddress = true, expires }: TestLeaf = {}): CertificatePair => {
    const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
    const names = [...(hasAddress ? ["IP:127.0.0.1"] : []), ...(hosts ?? []).map((host) => `DNS:${host}`)].join(",");
    // etcd's gateway connects to its own server with the same certificate.
    const ofServer = `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth`;
    writeFileSync(join(folder, `${name}.ext`), hosts ? ofServer : "extendedKeyUsage=clientAuth");
    openssl("req", ...key, "-keyout", keyFile, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const files = ["-in", `${name}.csr`, "-out", certFile, "-extfile", `${name}.ext`];
    if (expires) {
      // Of openssl's commands this one alone takes dates in every version.
      for (const [file, text] of Object.entries({ "ca.cnf": configuration, index: "", serial: "01" })) {
        writeFileSync(join(folder, file), text);
      }
      const end = `${expires.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
      const dates = ["-startdate", "20200101000000Z", "-enddate", end];
      const authority = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"];
      openssl("ca", "-batch", "-notext", ...authority, ...files, ...dates);
    } else {
      const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
      openssl("x509", "-req", ...files, "-days", "1", ...authority);
    }
    return { certFile, keyFile };
  };
  return { caFile: join(folder, "ca.pem"), issue, remove };
}

const configuration = `[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
`;

/**
 * Creates two authorities for the tests of a file: the right one and another. Where openssl is not installed both are undefined, and
 * `options` skips a test with that reason.
 *
 * @param after that of node:test; the files are deleted in it
 */
export function makeTwoAuthorities(after: (end: () => void) => void) {
  const [authority, other] = [makeAuthority(), makeAuthority()];
  after(() => {
    authority?.remove();
    other?.remove();
  });
  return { authority, other, options: { skip: !(authority && other) && "openssl is not installed" } };
}
