/**
 * Plain HTTP over the same endpoints: an undici Dispatcher, for `fetch` and everything else that takes one.
 */
export { BalancedDispatcher } from "./balanced-dispatcher.ts";
export {
  type DispatcherConnectionMessage,
  type DispatcherEndMessage,
  type DispatcherErrorMessage,
  type DispatcherPickMessage,
  type DispatcherSnapshotMessage,
  dispatcherChannels,
} from "./diagnostics.ts";
export type { BalancedDispatcherOptions } from "./dispatcher-options.ts";
export type { DispatcherEndpointStats, DispatcherStats } from "./stats.ts";
