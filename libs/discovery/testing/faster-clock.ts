import { type Clock, systemClock } from "@grpc-lb/core";

/** A clock that runs `times` as fast as real time, for waits of seconds that cannot be configured. */
export function fasterClock(times: number): Clock {
  return {
    now: () => systemClock.now() * times,
    sleep: (ms, signal, options) => systemClock.sleep(ms / times, signal, options),
  };
}
