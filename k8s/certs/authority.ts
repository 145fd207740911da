import { X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { messageOf } from "@grpc-lb/core";
import { runCommand, stop } from "../command.ts";

/** The subject of the authority that `make certs` creates. Another authority in its folder is not its own, and stays as it is. */
const authorityName = "grpc-lb workshop CA";
const authorityDays = 3_650;

const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Every extension is here: openssl's own configuration differs between systems. */
const configuration = `[req]
distinguished_name = subject
[subject]
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;

/** A certificate to issue. */
export interface LeafRequest {
  /** The common name, and the name of the files: `server.crt`, `server.key`. */
  readonly name: string;
  /** Names and addresses of the subject. */
  readonly hosts: readonly string[];
  readonly usages: readonly ("serverAuth" | "clientAuth")[];
  readonly days: number;
}

/** A certificate authority in a folder: `ca.crt`, `ca.key`, and the certificates that it issued. */
export class Authority {
  readonly #folder: string;
  readonly #signal: AbortSignal;

  private constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  /**
   * Opens the authority of a folder that exists, or creates it if there is none.
   *
   * @throws ProgramError when the folder has files of another authority, or half of an authority
   */
  static async open(folder: string, signal: AbortSignal): Promise<{ authority: Authority; isNew: boolean }> {
    const authority = new Authority(folder, signal);
    const [certFile, keyFile] = [authority.#path("ca.crt"), authority.#path("ca.key")];
    const isNew = !existsSync(certFile) && !existsSync(keyFile);
    if (isNew) await authority.#create();
    for (const file of [certFile, keyFile]) {
      if (!existsSync(file)) stop(`${file} is missing: without it nothing can be issued; OUT=… names another folder`);
    }
    const certificate = readCertificate(certFile);
    if (!certificate.subject.includes(authorityName)) {
      stop(`${certFile} is not an authority of make certs; OUT=… names another folder`);
    }
    if (Date.parse(certificate.validTo) <= Date.now()) {
      stop(`${certFile} has expired on ${certificate.validTo}; delete the folder, and give the new ca.crt to everyone`);
    }
    return { authority, isNew };
  }

  /**
   * Issues a certificate with a new key, and replaces the one that it issued before.
   *
   * @returns whether it replaced one
   * @throws ProgramError when there is one of another authority, which stays as it is
   */
  async issue({ name, hosts, usages, days }: LeafRequest): Promise<boolean> {
    const isRenewal = this.#requireOwn(name);
    const extensions = [
      "basicConstraints = critical, CA:FALSE",
      "keyUsage = critical, digitalSignature",
      `extendedKeyUsage = ${usages.join(", ")}`,
      "subjectKeyIdentifier = hash",
      "authorityKeyIdentifier = keyid",
      ...(hosts.length > 0 ? [`subjectAltName = ${hosts.map(toAltName).join(", ")}`] : []),
    ];
    await this.#inWorkFolder(async (work, openssl) => {
      writeFileSync(join(work, "extensions"), extensions.join("\n"));
      await openssl("req", ...key, "-config", "config", "-subj", `/CN=${name}`, "-keyout", "key", "-out", "request");
      const signed = ["-CA", this.#path("ca.crt"), "-CAkey", this.#path("ca.key"), "-CAserial", "serial"];
      const valid = ["-days", String(days), "-extfile", "extensions"];
      await openssl(
        "x509",
        "-req",
        "-sha256",
        "-in",
        "request",
        "-out",
        "cert",
        ...signed,
        "-CAcreateserial",
        ...valid,
      );
      this.#keep(work, name);
    });
    return isRenewal;
  }

  /** The names and addresses of the certificate that there is; empty without one. @throws ProgramError for a file that is none */
  hostsOf(name: string): readonly string[] {
    const file = this.#path(`${name}.crt`);
    if (!existsSync(file)) return [];
    const names = readCertificate(file).subjectAltName ?? "";
    return [...names.matchAll(/(DNS|IP Address):([^,"\s]+)/g)].map(([, kind, host = ""]) =>
      kind === "DNS" || !host.includes(":") ? host : new URL(`http://[${host}]`).hostname.slice(1, -1),
    );
  }

  /** @returns whether there is a certificate of this authority */
  #requireOwn(name: string): boolean {
    const [certFile, keyFile] = [this.#path(`${name}.crt`), this.#path(`${name}.key`)];
    if (!existsSync(certFile) && !existsSync(keyFile)) return false;
    const authority = readCertificate(this.#path("ca.crt"));
    if (!existsSync(certFile) || !readCertificate(certFile).verify(authority.publicKey)) {
      stop(`${existsSync(certFile) ? certFile : keyFile} is not from this authority; OUT=… names another folder`);
    }
    return true;
  }

  async #create(): Promise<void> {
    await this.#inWorkFolder(async (work, openssl) => {
      const subject = ["-subj", `/CN=${authorityName}`, "-config", "config", "-extensions", "ca"];
      const days = ["-days", String(authorityDays)];
      await openssl("req", "-x509", "-sha256", ...key, ...subject, ...days, "-keyout", "key", "-out", "cert");
      this.#keep(work, "ca");
    });
  }

  /** Puts a new pair in its place: each file is there as a whole or not at all. */
  #keep(work: string, name: string): void {
    chmodSync(join(work, "key"), 0o600);
    renameSync(join(work, "key"), this.#path(`${name}.key`));
    renameSync(join(work, "cert"), this.#path(`${name}.crt`));
  }

  /** Runs openssl in a folder that only this user can read, in the folder itself, so that the results can be renamed. */
  async #inWorkFolder(work: (folder: string, openssl: (...args: string[]) => Promise<void>) => Promise<void>) {
    const folder = mkdtempSync(this.#path(".new-"));
    try {
      writeFileSync(join(folder, "config"), configuration);
      await work(folder, async (...args) => {
        const options = { cwd: folder, interruption: this.#signal, doing: "certificates were issued" };
        const { code, stderr } = await runCommand("openssl", args, options);
        if (code === 127) stop("openssl is not installed; your package manager has it");
        if (code !== 0) stop(`openssl ${args[0]} failed: ${stderr.trim().split("\n").at(-1)}`);
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function toAltName(host: string): string {
  return `${isIP(host) === 0 ? "DNS" : "IP"}:${host}`;
}

function readCertificate(file: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(file));
  } catch (error) {
    return stop(`${file} cannot be read as a certificate: ${messageOf(error)}`);
  }
}
