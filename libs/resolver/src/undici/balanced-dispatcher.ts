import type { Source } from "@grpc-lb/discovery";
import { type BalancedDispatcherOptions, readArguments } from "./dispatcher-options.ts";
import { SourceDispatcher } from "./source-dispatcher.ts";

/**
 * Spreads HTTP requests over the endpoints of a source, one after the other, whatever host their URL names: the URL gives
 * scheme, path and `Host`, the source gives the address (the first of an endpoint). Until the source knows anything, requests
 * wait for it; without any endpoint, they fail with a message that has the reason. Requests in flight on an endpoint that leaves end
 * normally.
 *
 * ```ts
 * const dispatcher = new BalancedDispatcher("kubernetes:///server.default:http");
 * await fetch("http://server.default/pod", { dispatcher });
 * ```
 *
 * An endpoint that no connection could be opened to is in backoff while there is another: at first for up to 1 s, with each
 * failure for up to twice as long, 30 s at most. The request itself goes on to the next endpoint, up to five of them, whatever
 * its method and body: nothing of it was sent. When none is left it fails with the last error. What fails once it is sent is
 * not repeated; compose `interceptors.retry` of undici for that, which comes to the next endpoint with each attempt.
 *
 * The source starts with the first request and ends with `close` or `destroy`; requests that wait then fail. Only requests keep
 * the process alive, those that wait for endpoints included.
 */
export class BalancedDispatcher extends SourceDispatcher {
  /**
   * @param source a target, as `createSource` of `@grpc-lb/discovery` takes it, or a source
   * @param options those of undici's Agent; with a target also its credentials: `kubernetes`, `etcd`, `consul`
   * @throws RangeError for a target that is not valid, TypeError for what is neither, and for options that are misspelt; undici's
   *   InvalidArgumentError for options that it does not take
   */
  constructor(source: Source | string, options: BalancedDispatcherOptions = {}) {
    super(readArguments(source, options), {});
  }
}
