import fc from "fast-check";

/** How long a property is tried, in milliseconds; with `FUZZ_MS=60000 node --test …` a minute. */
const limitMs = Number(process.env.FUZZ_MS ?? 300);

/**
 * Tries a property `numRuns` times, or fewer on a slow machine: it stops after 300 ms, but not before the first run has ended. A failure prints
 * the seed and the path that repeat it, to be given to `fc.assert` as `{ seed, path }`.
 */
export function assertBounded<T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void>;
export function assertBounded<T>(property: fc.IProperty<T>, numRuns: number): void;
export function assertBounded<T>(property: fc.IRawProperty<T>, numRuns: number): Promise<void> | void {
  const options = {
    numRuns: process.env.FUZZ_MS === undefined ? numRuns : Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: limitMs,
    markInterruptAsFailure: false,
    reporter: report,
  };
  if (!property.isAsync()) {
    const sync = property as fc.IProperty<T>;
    fc.assert(sync, { numRuns: 1 });
    fc.assert(sync, options);
    return;
  }
  const async = property as fc.IAsyncProperty<T>;
  return fc.assert(async, { numRuns: 1 }).then(() => fc.assert(async, options));
}

function report<T>(details: fc.RunDetails<T>): void {
  if (details.interrupted && details.numRuns === 0) return; // the machine stood still after the first run
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
}

/** Text of all kinds: of arbitrary characters, and of those with a meaning in the formats. */
export const anyText = (maxLength = 60): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: "binary", maxLength }),
    fc.string({ unit: fc.constantFrom(..."aZ0159:/?#[]@!$&'()*+,;=.-_~% %40%41\\\"{}\n\t\u001b\u202e"), maxLength }),
  );

/** A valid text in which some characters are removed, repeated or replaced. */
export function mutated(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), anyText(4));
  return fc.tuple(valid, fc.array(change, { maxLength: 4 })).map(([text, changes]) =>
    changes.reduce((current, [where, removed, added]) => {
      const at = Math.floor(where * current.length);
      return current.slice(0, at) + added + current.slice(at + removed);
    }, text),
  );
}
