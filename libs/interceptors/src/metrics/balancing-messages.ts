/**
 * The diagnostics channels of `@grpc-lb/resolver` and `@grpc-lb/policies`, and what is read of their messages. This library needs
 * neither of them: without them nothing is published.
 */
export const channels = {
  pick: "grpc-lb:policies:pick",
  connection: "grpc-lb:policies:connection",
  ejection: "grpc-lb:policies:ejection",
  update: "grpc-lb:policies:update",
  snapshot: "grpc-lb:resolver:snapshot",
  error: "grpc-lb:resolver:error",
} as const;

interface PolicyMessage {
  readonly target: string | undefined;
  readonly policy: string;
}

interface EndpointInfo {
  readonly id: string;
  /** `host:port` */
  readonly address: string;
}

export interface PickMessage extends PolicyMessage {
  readonly endpoint: EndpointInfo;
}

export interface ConnectionMessage extends PickMessage {
  readonly isOpen: boolean;
}

export interface EjectionMessage extends PickMessage {
  readonly isEjected: boolean;
}

export interface UpdateMessage extends PolicyMessage {
  readonly endpoints: readonly EndpointInfo[];
}

export interface SnapshotMessage {
  readonly target: string;
  readonly snapshot: { readonly lastSyncMs: number | undefined; readonly error: object | undefined };
}

export interface ResolverErrorMessage {
  readonly target: string;
  readonly error: { readonly code: string };
}
