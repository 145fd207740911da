/** One layer of an image, as `docker history --no-trunc --human=false --format '{{json .}}'` prints it. */
export interface HistoryEntry {
  readonly CreatedBy: string;
  readonly Size: string;
}

/**
 * How many bytes an image adds to its base: the layers of the Dockerfile, which write to /app. They come from the history, because
 * BuildKit keeps no base image to compare with.
 */
export function bytesAboveBase(history: readonly HistoryEntry[]): number {
  const own = history.filter(({ CreatedBy }) => /\b(?:COPY|WORKDIR)\b.* \/app\b/.test(CreatedBy));
  return own.reduce((sum, { Size }) => sum + Number(Size), 0);
}

/** `1.32 MB`, in millions of bytes as docker counts them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
