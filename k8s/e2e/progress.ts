const startedMs = performance.now();

/** Shows on stderr what is going on, with the seconds since the start: a run takes minutes, and silence looks like a hang. */
export function progress(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds}s  ${text}\n`);
}
