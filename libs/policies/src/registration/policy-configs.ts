import type { Seconds } from "./method-config.ts";

/** The field of every policy that picks among endpoints. */
export interface CommonFields {
  /** Below this percentage of connected endpoints, those that `outlier_detection` has ejected take calls again. Default: 0. */
  readonly panicThreshold?: number | undefined;
}

/** The fields of the policies that know weights. */
export interface WeightFields extends CommonFields {
  /** Weights by endpoint id, `host:port`, host or pod name. Default: none. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
  /** The field of the endpoint's metadata with its weight. Default: none. */
  readonly weightKey?: string | undefined;
}

/** The fields of the policies that let a new endpoint reach its share slowly. */
export interface SlowStartFields extends WeightFields {
  /** How a new endpoint reaches its share, as in Envoy. Default: at once. */
  readonly slowStart?:
    | {
        /** Default: 30 s. */
        readonly window?: Seconds | undefined;
        /** Default: 1. */
        readonly aggression?: number | undefined;
        /** Default: 10. */
        readonly minWeightPercent?: number | undefined;
      }
    | undefined;
}

/** The field of the policies that count calls in flight. */
export interface CountFields {
  /** A call that lasts longer does not count as in flight any more; `0s`: never. Default: 10 s. */
  readonly longCallAfter?: Seconds | undefined;
}

/** The fields of the policies that pick by a key. */
export interface KeyFields {
  /** The header whose value is the call's key. Default: none. */
  readonly requestHashHeader?: string | undefined;
  /** The key of calls without that header. Default: `random`; of `source_hash`: `pod_uid`. */
  readonly key?: "random" | "pod_uid" | "hostname" | "address" | undefined;
}

/** The fields of both ways of `outlier_detection`; the defaults are grpc-js's. */
export interface EjectionFields {
  /** The probability of an ejection, in percent. Default: 100. */
  readonly enforcementPercentage?: number | undefined;
  /** Default: 5. */
  readonly minimumHosts?: number | undefined;
  readonly requestVolume?: number | undefined;
}

/**
 * The configuration of each policy as a service config has it, of grpc-js's own ones too. The README has the bounds. A policy of your
 * own may be added by `declare module "@grpc-lb/policies" { interface PolicyConfigs { … } }`; without that its fields have any type.
 */
export interface PolicyConfigs {
  readonly pick_first: {
    /** Default: false. */
    readonly shuffleAddressList?: boolean | undefined;
  };
  readonly round_robin: CommonFields;
  readonly random: CommonFields;
  readonly weighted_random: SlowStartFields;
  readonly weighted_round_robin: SlowStartFields & {
    /** `static`: load reports are ignored. Default: `orca`. */
    readonly source?: "orca" | "static" | undefined;
    /** Reports in separate streams, not with each response. Default: false. */
    readonly enableOobLoadReport?: boolean | undefined;
    /** Default: 10 s. */
    readonly oobReportingPeriod?: Seconds | undefined;
    /** Default: 10 s (gRFC A58, as the next three). */
    readonly blackoutPeriod?: Seconds | undefined;
    /** Default: 180 s. */
    readonly weightExpirationPeriod?: Seconds | undefined;
    /** Default: 1 s. */
    readonly weightUpdatePeriod?: Seconds | undefined;
    /** Default: 1. */
    readonly errorUtilizationPenalty?: number | undefined;
  };
  readonly least_request: SlowStartFields &
    CountFields & {
      /** The number of endpoints that are compared for a call. Default: 2. */
      readonly choiceCount?: number | undefined;
    };
  readonly peak_ewma: SlowStartFields &
    CountFields & {
      /** After that time an observed latency counts 1/e. Default: 10 s. */
      readonly decay?: Seconds | undefined;
      /** The latency assumed before the first response. Default: 30 ms. */
      readonly defaultRtt?: Seconds | undefined;
    };
  readonly ring_hash: WeightFields &
    KeyFields & {
      /** Default: 1024. */
      readonly minRingSize?: number | undefined;
      /** Default: 4096. */
      readonly maxRingSize?: number | undefined;
      /** Instead of the sizes. Default: none. */
      readonly entriesPerEndpoint?: number | undefined;
    };
  readonly maglev: WeightFields &
    KeyFields & {
      /** A prime. Default: 16381. */
      readonly tableSize?: number | undefined;
    };
  readonly source_hash: WeightFields &
    KeyFields &
    CountFields & {
      /** How far above the mean of calls in flight an endpoint may be; 0: no bound. Default: 1.25. */
      readonly balanceFactor?: number | undefined;
    };
  readonly locality: {
    /** The client's zone. Default: the environment's ZONE. */
    readonly zone?: string | undefined;
    /** With fewer local endpoints all are local. Default: 1. */
    readonly minLocalEndpoints?: number | undefined;
    /** With a share h of the local endpoints healthy, min(1, h times this) of the calls stay. Default: 1.4. */
    readonly overprovisioning?: number | undefined;
    /** An endpoint that has been connecting for longer is unhealthy. Default: 10 s. */
    readonly connectTimeout?: Seconds | undefined;
    /** Whether endpoints of other zones are connected before they are needed. Default: false. */
    readonly keepRemoteConnected?: boolean | undefined;
    /** Default: 900 s. */
    readonly remoteIdleTimeout?: Seconds | undefined;
    /** Default: `[{ round_robin: {} }]`. */
    readonly childPolicy?: readonly PolicyChoice[] | undefined;
  };
  readonly subset: {
    /** How many endpoints this client uses. */
    readonly subsetSize: number;
    /** Distinguishes clients. Default: the environment's POD_UID, POD_NAME or HOSTNAME, else the host's name. */
    readonly clientKey?: string | undefined;
    /** Default: `[{ round_robin: {} }]`. */
    readonly childPolicy?: readonly PolicyChoice[] | undefined;
  };
  /** Of grpc-js (gRFC A50); its defaults. */
  readonly outlier_detection: {
    readonly interval?: Seconds | undefined;
    readonly baseEjectionTime?: Seconds | undefined;
    readonly maxEjectionTime?: Seconds | undefined;
    readonly maxEjectionPercent?: number | undefined;
    readonly successRateEjection?: (EjectionFields & { readonly stdevFactor?: number | undefined }) | undefined;
    readonly failurePercentageEjection?: (EjectionFields & { readonly threshold?: number | undefined }) | undefined;
    readonly childPolicy: readonly PolicyChoice[];
  };
}

/** A policy by its name, with its configuration: `{ least_request: { choiceCount: 3 } }`; or one of another name, with any fields. */
export type PolicyChoice =
  | {
      readonly [Name in keyof PolicyConfigs]: { readonly [Key in Name]: PolicyConfigs[Key] } & {
        readonly [Other in Exclude<keyof PolicyConfigs, Name>]?: never;
      };
    }[keyof PolicyConfigs]
  | ({ readonly [Name in keyof PolicyConfigs]?: never } & {
      readonly [name: string]: Readonly<Record<string, unknown>>;
    });
