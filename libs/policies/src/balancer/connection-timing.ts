/** How a balancer deals with connections that come and go. All times are in milliseconds. */
export interface ConnectionTiming {
  /**
   * The first calls wait for further connections once the first one is up: as long again as that one took, within these two bounds.
   */
  readonly minGatherMs: number;
  readonly maxGatherMs: number;
  /**
   * A new connection takes no calls while another endpoint can take them, until it has lasted as long again as it took to open, within
   * these bounds: a peer that accepts and closes at once would fail the calls. Its close arrives a round trip after the open, and to open
   * a connection takes two or more. The first calls of a new channel wait for that too, at most
   * `maxFirstSettleMs`.
   */
  readonly minSettleMs: number;
  readonly maxSettleMs: number;
  readonly maxFirstSettleMs: number;
  /**
   * A connection that closes sooner than this counts as a failed attempt. Below the age at which a server with a max connection age of
   * 1 s closes its connections: 0.9 to 1.1 s (gRFC A9).
   */
  readonly minLifetimeMs: number;
  /** How long a connection that follows a short-lived one takes no calls while another endpoint can take them. */
  readonly trustAfterMs: number;
  /**
   * How long an endpoint is remembered while it is disconnected or out of the list. One that comes back within this time is the same
   * endpoint: its statistics and its slow start continue.
   */
  readonly memoryMs: number;
}

/** Long enough for a reconnect and for a list that flaps; shorter than most restarts of a process. */
export const defaultTiming: ConnectionTiming = {
  minGatherMs: 10,
  maxGatherMs: 100,
  minSettleMs: 3,
  maxSettleMs: 100,
  maxFirstSettleMs: 20,
  minLifetimeMs: 800,
  trustAfterMs: 1_000,
  memoryMs: 5_000,
};
