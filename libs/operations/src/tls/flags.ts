import { isIP } from "node:net";
import { systemClock } from "@grpc-lb/core";
import { type Flag, fileFlag, ProgramError, refuseFlags, switchFlag, textFlag } from "@grpc-lb/program";
import { CredentialError, type CredentialFiles } from "./credentials.ts";
import { ReloadingCredentials, type ReloadOptions } from "./reloading-credentials.ts";

const namePattern = /^[a-z\d_]([a-z\d_-]*[a-z\d_])?(\.[a-z\d_]([a-z\d_-]*[a-z\d_])?)*$/i;

/** A name or an address that a server's certificate must have. */
export function serverNameFlag(options: { readonly help: string; readonly defaultText: string }): Flag<string> {
  return {
    ...textFlag({ ...options, metavar: "name", default: "" }),
    parse(text) {
      if (text.length <= 253 && (namePattern.test(text) || isIP(text) !== 0)) return text;
      throw new RangeError(`must be a name such as server.example.com, or an address, got ${JSON.stringify(text)}`);
    },
  };
}

/** The TLS flags of a server. */
export const serverTlsFlags = {
  tlsCert: fileFlag({
    help: "certificate of the server in PEM, with the intermediate ones; with it both ports speak TLS",
  }),
  tlsKey: fileFlag({ help: "private key of the certificate in PEM" }),
  tlsClientCa: fileFlag({ help: "authorities of clients in PEM; with it every client needs a certificate" }),
};

/** The TLS flags of a client. */
export const clientTlsFlags = {
  tls: switchFlag({ help: "speak TLS" }),
  tlsCa: {
    ...fileFlag({ help: "authorities of the server's certificate in PEM" }),
    defaultText: "those of Node",
  },
  tlsCert: fileFlag({ help: "certificate of the client in PEM" }),
  tlsKey: fileFlag({ help: "private key of the certificate in PEM" }),
  serverName: serverNameFlag({
    help: "name that the server's certificate must have",
    defaultText: "that of the target",
  }),
};

type Reporters = Pick<ReloadOptions, "onReload" | "onProblem">;

/**
 * Opens the credentials of a server by its flags; undefined without TLS.
 *
 * @throws ProgramError with exit code 2 for files that cannot be used, and for flags that need another
 */
export async function openServerTls(
  flags: { readonly tlsCert: string; readonly tlsKey: string; readonly tlsClientCa: string },
  reporters: Reporters,
): Promise<ReloadingCredentials | undefined> {
  requirePair(flags);
  if (flags.tlsCert === "") {
    if (flags.tlsClientCa !== "") refuseFlags("--tls-client-ca has no effect without --tls-cert and --tls-key");
    return undefined;
  }
  return open({ cert: flags.tlsCert, key: flags.tlsKey, ca: flags.tlsClientCa || undefined }, reporters);
}

/**
 * Opens the credentials of a client by its flags; undefined without TLS.
 *
 * @param isTls whether the target says so, in addition to `--tls`
 * @throws ProgramError with exit code 2 for files that cannot be used, and for flags that need another
 */
export async function openClientTls(
  flags: {
    readonly tls: boolean;
    readonly tlsCa: string;
    readonly tlsCert: string;
    readonly tlsKey: string;
    readonly serverName: string;
  },
  reporters: Reporters,
  isTls = false,
): Promise<ReloadingCredentials | undefined> {
  requirePair(flags);
  if (!flags.tls && !isTls) {
    const given = { "--tls-ca": flags.tlsCa, "--tls-cert": flags.tlsCert, "--server-name": flags.serverName };
    for (const [flag, value] of Object.entries(given))
      if (value !== "") refuseFlags(`${flag} has no effect without --tls`);
    return undefined;
  }
  const { tlsCa, tlsCert, tlsKey } = flags;
  return open({ cert: tlsCert || undefined, key: tlsKey || undefined, ca: tlsCa || undefined }, reporters);
}

async function open(files: CredentialFiles, reporters: Reporters): Promise<ReloadingCredentials> {
  try {
    return await ReloadingCredentials.open(files, { clock: systemClock, ...reporters });
  } catch (cause) {
    if (!(cause instanceof CredentialError)) throw cause;
    throw new ProgramError(cause.message, { cause, exitCode: 2 });
  }
}

function requirePair({ tlsCert, tlsKey }: { readonly tlsCert: string; readonly tlsKey: string }): void {
  if (tlsCert !== "" && tlsKey === "") refuseFlags("--tls-cert needs --tls-key");
  if (tlsKey !== "" && tlsCert === "") refuseFlags("--tls-key needs --tls-cert");
}
