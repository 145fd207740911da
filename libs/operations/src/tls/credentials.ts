import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { describeReadFailure, messageOf, readTextFile, showFileName } from "@grpc-lb/core";

/** The files of one side of TLS connections, in PEM. A certificate and its key come together. */
export interface CredentialFiles {
  /** Its certificate first, then the intermediate ones. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The certificates of the authorities that it trusts. */
  readonly ca?: string | undefined;
}

/** The content of the files, checked: it makes a TLS context. */
export interface Credentials {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
  /** When the own certificate expires, in milliseconds since 1970; undefined without one. */
  readonly expiresMs: number | undefined;
}

/** Why files cannot be used. Its message names the file and the reason, and has nothing of a key. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
}

/** Far more than a bundle of all public authorities. */
const maxBytes = 2 * 1_024 * 1_024;

/**
 * Reads the files and checks them: the key is that of the certificate, the certificate is valid at `nowMs`, and at least one of the
 * authorities is.
 *
 * @param nowMs in milliseconds since 1970
 * @throws CredentialError
 */
export async function readCredentials(files: CredentialFiles, nowMs: number): Promise<Credentials> {
  const [cert, key, ca] = await Promise.all([
    read("certificate", files.cert),
    read("private key", files.key),
    read("CA certificate", files.ca),
  ]);
  let expiresMs: number | undefined;
  if (cert !== undefined && key !== undefined) {
    const [own] = parseCertificates(`certificate ${files.cert}`, cert);
    requireValid(`certificate ${files.cert}`, own, nowMs);
    if (!own.checkPrivateKey(parseKey(`private key ${files.key}`, key))) {
      throw new CredentialError(`private key ${files.key}: does not belong to certificate ${files.cert}`);
    }
    expiresMs = Date.parse(own.validTo);
  }
  if (ca !== undefined) {
    const what = `CA certificate ${files.ca}`;
    const authorities = parseCertificates(what, ca);
    // A bundle may have expired ones among others.
    if (authorities.every((one) => Date.parse(one.validTo) <= nowMs)) requireValid(what, authorities[0], nowMs);
  }
  try {
    createSecureContext({ cert, key, ca });
  } catch (error) {
    throw new CredentialError(`certificate ${files.cert ?? files.ca}: ${messageOf(error)}`); // such as a key that is too short
  }
  return { cert, key, ca, expiresMs };
}

async function read(what: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readTextFile(path, { maxBytes });
  } catch (error) {
    throw new CredentialError(`${what} ${showFileName(path)}: ${describeReadFailure(error)}`);
  }
}

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function parseCertificates(what: string, text: string): [X509Certificate, ...X509Certificate[]] {
  const [first, ...others] = text.match(certificatePattern) ?? [];
  if (first === undefined) {
    const isKey = text.includes("PRIVATE KEY-----");
    throw new CredentialError(`${what}: ${isKey ? "a private key, not a certificate" : "not a certificate in PEM"}`);
  }
  try {
    return [new X509Certificate(first), ...others.map((one) => new X509Certificate(one))];
  } catch {
    throw new CredentialError(`${what}: not a certificate in PEM`); // OpenSSL's reason names its own source
  }
}

function requireValid(what: string, { validFrom, validTo }: X509Certificate, nowMs: number): void {
  const date = (text: string) => new Date(text).toISOString().replace(".000Z", "Z");
  if (Date.parse(validTo) <= nowMs) throw new CredentialError(`${what}: expired on ${date(validTo)}`);
  if (Date.parse(validFrom) > nowMs) throw new CredentialError(`${what}: not valid before ${date(validFrom)}`);
}

function parseKey(what: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // The error may quote the text.
    if (/ENCRYPTED/.test(text)) throw new CredentialError(`${what}: encrypted; a key without a passphrase is needed`);
    if (/BEGIN CERTIFICATE/.test(text)) throw new CredentialError(`${what}: a certificate, not a private key`);
    throw new CredentialError(`${what}: not a private key in PEM`);
  }
}
