import { describeHandshakeFailure as describe } from "@grpc-lb/core";

/** The flags of `clientTlsFlags`. */
const flags = {
  authority: "--tls-ca",
  clientCertificate: "--tls-cert, --tls-key",
  otherName: "--server-name names another",
};

/** The errors of sources whose connections these flags do not configure: `xds: watch server: …`. */
const ofSource = /(?:^|; )(?:consul|etcd|kubernetes|xds): /;

/**
 * Says why the TLS handshake with a server has failed, for a message of OpenSSL, Node or grpc-js, and which of `clientTlsFlags` may help;
 * undefined if it is of something else, such as the connection of a source of endpoints to its registry.
 */
export function describeHandshakeFailure(message: string): string | undefined {
  return ofSource.test(message) ? undefined : describe(message, flags);
}
