/** What a caller is asked for. */
export interface SliceRequest {
  readonly inFlight: number;
  readonly ms: number;
}

/** What a caller measured in one slice of time. */
export interface Slice {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of the caller's process alone. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}
