/** Parts of OpenSSL's and Node's words, and what they mean for the one that connects. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/certificate has expired/, "the server's certificate has expired"],
  [/certificate is not yet valid/, "the server's certificate is not valid yet"],
  [
    /self-signed certificate|unable to (?:verify the first|get (?:local )?issuer) certificate/,
    "no trusted authority has signed the server's certificate; --tls-ca names the file of its authority",
  ],
  [/wrong version number|packet length too long/, "the server does not speak TLS on this port"],
  [
    /alert certificate required|alert handshake failure/,
    "the server wants a client certificate: --tls-cert, --tls-key",
  ],
  [/alert unknown ca/, "the server does not know the authority of the client's certificate"],
  [/alert certificate expired/, "the server says that the client's certificate has expired"],
  [
    /alert (?:bad|unsupported|unknown) certificate|alert certificate unknown/,
    "the server refuses the client's certificate",
  ],
  [/alert protocol version|unsupported protocol/, "the server does not speak TLS 1.2 or newer"],
  [/alert no application protocol/, "the server speaks TLS, but not HTTP/2"],
];

/** How many characters of a certificate's names are shown. */
const maxNames = 200;

/** Says why a TLS handshake has failed, for a message of OpenSSL, Node or grpc-js; undefined if it is of something else. */
export function describeHandshakeFailure(message: string): string | undefined {
  const [, host, names] =
    /altnames: (?:Host: |IP: )(.*?)\.? is not in the cert's (?:altnames|list): ?(.*)/s.exec(message) ?? [];
  if (host !== undefined && names !== undefined) {
    const list = names.replace(/\. Resolution note:.*$/s, "").replace(/DNS:|IP Address:/g, "");
    const shown = list.length > maxNames ? `${list.slice(0, maxNames)}…` : list;
    return `the server's certificate is not for ${host}, but for ${shown || "no name"}; --server-name names another`;
  }
  const meaning = meanings.find(([pattern]) => pattern.test(message))?.[1];
  if (meaning !== undefined) return meaning;
  const [, reason] = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(message) ?? [];
  return reason === undefined ? undefined : `the TLS handshake failed: ${reason}`;
}
