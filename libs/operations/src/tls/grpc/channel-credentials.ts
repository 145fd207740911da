import { createSecureContext } from "node:tls";
import { ChannelCredentials } from "@grpc/grpc-js";
import { checkServerIdentity } from "@grpc-lb/core";
import type { ReloadingCredentials } from "../reloading-credentials.ts";
import { tlsContextOptions } from "../server-options.ts";

type ConnectorArguments = Parameters<ChannelCredentials["_createSecureConnector"]>;
type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * Creates the credentials of a grpc-js channel, which follow the files: each new connection uses those of now. Without a file of
 * authorities the server's certificate is checked by Node's.
 */
export function createChannelCredentials(credentials: ReloadingCredentials): ChannelCredentials {
  return new FileChannelCredentials(credentials);
}

class FileChannelCredentials extends ChannelCredentials {
  #current: ChannelCredentials;

  constructor(credentials: ReloadingCredentials) {
    super();
    this.#current = credentialsOf(credentials);
    credentials.onChange(() => {
      this.#current = credentialsOf(credentials);
    });
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  /** grpc-js creates a connector for each address and keeps it for all connections to it. */
  override _createSecureConnector(...args: ConnectorArguments): SecureConnector {
    const create = () => this.#current._createSecureConnector(...args);
    const first = create();
    return {
      connect: (socket) => create().connect(socket),
      waitForReady: () => first.waitForReady(),
      getCallCredentials: () => first.getCallCredentials(),
      destroy: () => first.destroy(),
    };
  }
}

function credentialsOf({ current }: ReloadingCredentials): ChannelCredentials {
  return ChannelCredentials.createFromSecureContext(createSecureContext(tlsContextOptions(current)), {
    checkServerIdentity,
  });
}
