/**
 * The diagnostics channels of `@grpc-lb/resolver` and `@grpc-lb/policies`, and what is read of their messages. This library needs
 * neither of them: without them nothing is published.
 */
export const channels = {
  pick: "grpc-lb:policies:pick",
  connection: "grpc-lb:policies:connection",
  ejection: "grpc-lb:policies:ejection",
  update: "grpc-lb:policies:update",
  policyEnd: "grpc-lb:policies:end",
  snapshot: "grpc-lb:resolver:snapshot",
  error: "grpc-lb:resolver:error",
  resolverEnd: "grpc-lb:resolver:end",
  dispatcherSnapshot: "grpc-lb:dispatcher:snapshot",
  dispatcherError: "grpc-lb:dispatcher:error",
  dispatcherEnd: "grpc-lb:dispatcher:end",
} as const;

export interface PolicyMessage {
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

/** Of one instance of a policy. */
export interface PolicyEndMessage extends PolicyMessage {
  readonly instance: symbol;
}

export interface UpdateMessage extends PolicyEndMessage {
  readonly endpoints: readonly EndpointInfo[];
}

/** Of one channel's or dispatcher's subscription. The target of a dispatcher may be undefined. */
export interface SubscriptionEndMessage {
  readonly target: string | undefined;
  readonly instance: symbol;
}

export interface SnapshotMessage extends SubscriptionEndMessage {
  readonly snapshot: {
    readonly subject: string;
    readonly lastSyncMs: number | undefined;
    readonly error: object | undefined;
  };
}

export interface ResolverErrorMessage {
  readonly target: string | undefined;
  readonly error: { readonly code: string };
}
