/**
 * Puts chunks of text together into lines, empty ones left out, and gives those that a chunk completes together: what came
 * together can be taken at once, before anyone looks. What has no newline behind it at the end was cut off, and is dropped:
 * it is no whole line.
 */
export async function* splitLines(chunks: AsyncIterable<string>): AsyncGenerator<readonly string[], void, void> {
  // The pieces of a line are joined once: adding each to the text before would cost the square of a long line.
  let parts: string[] = [];
  for await (const chunk of chunks) {
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf("\n"); at >= 0; at = chunk.indexOf("\n", from)) {
      parts.push(chunk.slice(from, at));
      from = at + 1;
      const line = parts.join("");
      parts = [];
      if (line.trim() !== "") lines.push(line);
    }
    if (from < chunk.length) parts.push(chunk.slice(from));
    if (lines.length > 0) yield lines;
  }
}
