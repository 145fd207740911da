/** A version to try. */
export interface ChosenVersion {
  readonly version: string;
  /** Whether the packages accept it as their peer, `^1.14.0`. */
  readonly isPeer: boolean;
}

/** The first minor version that the packages accept, and how many minors before it are tried, each at its newest version. */
const firstMinor = 14;
const oldMinors = 2;

/** Chooses from all published versions of grpc-js, oldest first: each of 1.14 and later, and the newest of 1.13 and of 1.12. */
export function chooseVersions(published: readonly string[]): ChosenVersion[] {
  const newest = new Map<number, ChosenVersion>();
  const peers: ChosenVersion[] = [];
  for (const version of published) {
    const [, minorText, patch] = /^1\.(\d+)\.(\d+)$/.exec(version) ?? [];
    if (patch === undefined) continue;
    const minor = Number(minorText);
    if (minor >= firstMinor) peers.push({ version, isPeer: true });
    else if (minor >= firstMinor - oldMinors) newest.set(minor, { version, isPeer: false });
  }
  return [...[...newest.entries()].sort(([a], [b]) => a - b).map(([, chosen]) => chosen), ...peers];
}
