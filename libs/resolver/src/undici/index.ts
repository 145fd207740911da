/**
 * Plain HTTP over the same endpoints: an undici Dispatcher, for `fetch` and everything else that takes one.
 */
export { BalancedDispatcher, type BalancedDispatcherOptions } from "./balanced-dispatcher.ts";
