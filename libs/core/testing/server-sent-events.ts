/**
 * Reads the server-sent events of `url` until the JSON data of one named `name` matches, and returns that.
 *
 * @param what the expectation, for the message of the failure
 * @throws Error when none matches within `limitMs`, 30 s by default; it shows the last data
 */
export async function untilServerSent<T>(
  url: string,
  name: string,
  what: string,
  matches: (data: T) => boolean,
  limitMs = 30_000,
): Promise<T> {
  let last = "no event";
  try {
    const { body } = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
    let rest = "";
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = (rest + chunk).split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) {
        const [first = "", second = ""] = event.split("\n");
        if (first !== `event: ${name}`) continue;
        last = second.slice("data: ".length);
        const data: T = JSON.parse(last);
        if (matches(data)) return data;
      }
    }
  } catch (cause) {
    throw new Error(`${what}: not within ${limitMs} ms; last seen: ${last}`, { cause });
  }
  throw new Error(`${what}: the stream has ended; last seen: ${last}`);
}
