import type { PeerCertificate } from "node:tls";

/**
 * Checks the names of a server's certificate as Node does, for the option `checkServerIdentity` of a TLS connection. The error lists
 * all names: Node's lists those of the kind of the host alone, which are none where the host is an IP address and the names are not.
 */
export function checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  // Loaded on first use: a program without TLS does not need it.
  const { checkServerIdentity: check } = process.getBuiltinModule("node:tls");
  const error = check(host, certificate);
  if (!error) return undefined;
  const { subject, subjectaltname } = certificate;
  const names = subjectaltname ?? (subject?.CN === undefined ? "" : `DNS:${subject.CN}`);
  error.message = `Hostname/IP does not match certificate's altnames: Host: ${host}. is not in the cert's altnames: ${names}`;
  return error;
}
