/**
 * How long a registry that comes back is doubted, in milliseconds: what it does not tell any more is served for so long, as it
 * may have come back empty, and whoever lives registers again. More than the longest pause of a registration, 4 s, and the
 * longest wait for an answer that does not come, 5 s, together.
 */
export const defaultDoubtMs = 10_000;
