/** More changes make another word. */
const maxDistance = 2;

/**
 * The word that was probably meant: the one that differs from `word` by the fewest letters, at most 2 and at most half of them, whatever their
 * case. Undefined if there is none.
 */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  let nearest: { readonly word: string; readonly letters: number } | undefined;
  const most = Math.min(maxDistance, Math.floor(word.length / 2));
  for (const one of words) {
    if (Math.abs(one.length - word.length) > most) continue;
    const letters = distance(word.toLowerCase(), one.toLowerCase());
    if (letters <= most && letters < (nearest?.letters ?? Number.POSITIVE_INFINITY)) nearest = { word: one, letters };
  }
  return nearest?.word;
}

/** How many letters must be added, removed or replaced to make one word of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
