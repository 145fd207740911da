/** What configures TLS on the side that connects, as its user writes it: for what an error advises. */
export interface TlsNames {
  /** Such as `--tls-ca`. */
  readonly authority: string;
  /** Such as `--tls-cert, --tls-key`. */
  readonly clientCertificate: string;
  /** How to ask for one of the names that the certificate has, as a clause: `--server-name names another`. */
  readonly otherName: string;
  /** How to connect without TLS, as a clause. Default: no advice. */
  readonly insecure?: string;
}

/** Parts of OpenSSL's and Node's words, and what they mean for the one that connects. */
const meanings: readonly (readonly [RegExp, (names: TlsNames) => string])[] = [
  [/certificate has expired/, () => "the server's certificate has expired"],
  [/certificate is not yet valid/, () => "the server's certificate is not valid yet"],
  [
    /self-signed certificate|unable to (?:verify the first|get (?:local )?issuer) certificate/,
    ({ authority }) =>
      `no trusted authority has signed the server's certificate; ${authority} names the file of its authority`,
  ],
  [
    /wrong version number|packet length too long/,
    ({ insecure }) => `the server does not speak TLS on this port${insecure === undefined ? "" : `; ${insecure}`}`,
  ],
  [
    /alert certificate required|alert handshake failure/,
    ({ clientCertificate }) => `the server wants a client certificate: ${clientCertificate}`,
  ],
  [/alert unknown ca/, () => "the server does not know the authority of the client's certificate"],
  [/alert certificate expired/, () => "the server says that the client's certificate has expired"],
  [
    // Servers in Go say "bad certificate" of one that is missing, too.
    /alert (?:bad|unsupported|unknown) certificate|alert certificate unknown/,
    ({ clientCertificate }) => `the server refuses the client's certificate, or that it has none: ${clientCertificate}`,
  ],
  [/alert protocol version|unsupported protocol/, () => "the server does not speak TLS 1.2 or newer"],
  [/alert no application protocol/, () => "the server speaks TLS, but not HTTP/2"],
];

/** How many characters of a certificate's names are shown. */
const maxNames = 200;

/** Says why a TLS handshake has failed, for a message of OpenSSL, Node or grpc-js; undefined if it is of something else. */
export function describeHandshakeFailure(message: string, tls: TlsNames): string | undefined {
  const otherName = describeOtherName(message);
  if (otherName !== undefined) return `${otherName}; ${tls.otherName}`;
  const meaning = meanings.find(([pattern]) => pattern.test(message))?.[1];
  if (meaning !== undefined) return meaning(tls);
  const [, reason] = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(message) ?? [];
  return reason === undefined ? undefined : `the TLS handshake failed: ${reason}`;
}

/** Says what Node's words for a certificate of another name mean, or `checkServerIdentity`'s; undefined if it is of something else. */
function describeOtherName(message: string): string | undefined {
  const [, host, names = ""] =
    /altnames: (?:Host: |IP: )(.*?)\.? is not (?:in the cert's (?:altnames|list)|cert's CN): ?(.*)/s.exec(message) ??
    [];
  if (host === undefined) return undefined;
  const list = names.replace(/\. Resolution note:.*$/s, "").replace(/DNS:|IP Address:/g, "");
  const shown = list.length > maxNames ? `${list.slice(0, maxNames)}…` : list;
  return `the server's certificate is ${shown && `for ${shown}, `}not for ${host}`;
}
