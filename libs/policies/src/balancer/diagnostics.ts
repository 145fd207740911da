import { channel } from "node:diagnostics_channel";
import type { ChannelOptions } from "@grpc/grpc-js";
import { targetOption } from "@grpc-lb/discovery";
import type { EndpointInfo } from "./endpoint-info.ts";

/** What all messages say. */
interface PolicyMessage {
  /**
   * The channel's target as in the messages of `grpc-lb:resolver:snapshot`; undefined for a target of another resolver, such as
   * `dns:`, because grpc-js does not tell a policy its target.
   */
  readonly target: string | undefined;
  /** The name of the policy in a service config. */
  readonly policy: string;
}

/** A call was sent to an endpoint. A call that is picked twice, because its connection went away, is published twice. */
export interface PickMessage extends PolicyMessage {
  readonly endpoint: EndpointInfo;
}

/** An endpoint's connection was opened or closed. It is closed too when the endpoint leaves the list. */
export interface ConnectionMessage extends PolicyMessage {
  readonly endpoint: EndpointInfo;
  readonly isOpen: boolean;
}

/** outlier_detection has ejected an endpoint, or has taken it back. */
export interface EjectionMessage extends PolicyMessage {
  readonly endpoint: EndpointInfo;
  readonly isEjected: boolean;
}

/** The policy has a new list of endpoints or a new configuration. */
export interface UpdateMessage extends PolicyMessage {
  /** Identifies the policy's instance, until its `PolicyEndMessage`: several channels may have the same target and policy. */
  readonly instance: symbol;
  /** The configuration, checked and with its defaults filled in. */
  readonly config: unknown;
  /** All endpoints, connected or not; empty when the resolver has found none. */
  readonly endpoints: readonly EndpointInfo[];
}

/**
 * An instance of the policy has ended, because its channel was closed, became idle, or has another policy now. Its connections are closed. A
 * channel that leaves idleness has a new instance.
 */
export interface PolicyEndMessage extends PolicyMessage {
  readonly instance: symbol;
}

/** The names to subscribe to, `diagnostics_channel.subscribe(policyChannels.pick, (message) => …)`, by what happens. */
export const policyChannels = {
  /** `PickMessage` */
  pick: "grpc-lb:policies:pick",
  /** `ConnectionMessage` */
  connection: "grpc-lb:policies:connection",
  /** `EjectionMessage` */
  ejection: "grpc-lb:policies:ejection",
  /** `UpdateMessage` */
  update: "grpc-lb:policies:update",
  /** `PolicyEndMessage` */
  end: "grpc-lb:policies:end",
} as const;

/** For the hot path, which reads `hasSubscribers` before it creates a message. */
export const pickChannel = channel(policyChannels.pick);
const connectionChannel = channel(policyChannels.connection);
const ejectionChannel = channel(policyChannels.ejection);
const updateChannel = channel(policyChannels.update);
const endChannel = channel(policyChannels.end);

/** Publishes what happens to one balancer. Creates no message while nobody subscribes. */
export class PolicyDiagnostics {
  readonly #policy: string;
  readonly #instance = Symbol();
  #target: string | undefined;

  constructor(policy: string) {
    this.#policy = policy;
  }

  /** @param options as the policy gets them with an update: the resolver's attributes are among them */
  readTarget(options: ChannelOptions): void {
    const target: unknown = options[targetOption];
    this.#target = typeof target === "string" ? target : undefined;
  }

  /** As in the messages. */
  get target(): string | undefined {
    return this.#target;
  }

  publishPick(endpoint: EndpointInfo): void {
    pickChannel.publish({ target: this.#target, policy: this.#policy, endpoint } satisfies PickMessage);
  }

  publishConnection(endpoint: EndpointInfo, isOpen: boolean): void {
    if (!connectionChannel.hasSubscribers) return;
    connectionChannel.publish({
      target: this.#target,
      policy: this.#policy,
      endpoint,
      isOpen,
    } satisfies ConnectionMessage);
  }

  publishEjection(endpoint: EndpointInfo, isEjected: boolean): void {
    if (!ejectionChannel.hasSubscribers) return;
    ejectionChannel.publish({
      target: this.#target,
      policy: this.#policy,
      endpoint,
      isEjected,
    } satisfies EjectionMessage);
  }

  publishUpdate(config: unknown, endpoints: () => readonly EndpointInfo[]): void {
    if (!updateChannel.hasSubscribers) return;
    const instance = this.#instance;
    const message: UpdateMessage = {
      target: this.#target,
      policy: this.#policy,
      instance,
      config,
      endpoints: endpoints(),
    };
    updateChannel.publish(message);
  }

  publishEnd(): void {
    if (!endChannel.hasSubscribers) return;
    const instance = this.#instance;
    endChannel.publish({ target: this.#target, policy: this.#policy, instance } satisfies PolicyEndMessage);
  }
}
