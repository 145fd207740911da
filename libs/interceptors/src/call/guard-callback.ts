/**
 * Guards a callback of the user's, which must neither change how a call ends nor end the process: interceptors run where nobody catches an
 * error, such as in an event of a stream.
 *
 * @param instead gives the result when the callback throws, or returns a promise, for which no call waits
 */
export function guardCallback<Args extends readonly unknown[], Result>(
  callback: (...args: Args) => Result,
  instead: (...args: Args) => Result,
): (...args: Args) => Result {
  return (...args) => {
    try {
      const result = callback(...args);
      if (!(result instanceof Promise)) return result;
      result.catch(ignore);
    } catch {
      // There is no place to report it: a logger may be what has thrown.
    }
    return instead(...args);
  };
}

/** For callbacks without a result. */
export const ignore = (): void => {};
