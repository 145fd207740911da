import { isIP } from "node:net";

/** The addresses that a text in the format of hosts(5) gives a name, in its order, each once. */
export function addressesInHosts(text: string, name: string): readonly string[] {
  const wanted = name.replace(/\.$/, "").toLowerCase();
  const found = text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return isIP(address) && names.some((each) => each.toLowerCase() === wanted) ? [address] : [];
  });
  return [...new Set(found)];
}

/** How resolv.conf(5) completes names. */
export interface SearchRules {
  /** The domains that are tried, in their order. */
  readonly search: readonly string[];
  /** A name with so many dots is tried as it is first. */
  readonly ndots: number;
}

/** Reads the text of a resolv.conf. Of several `search` and `domain` lines the last one counts, as in glibc. */
export function parseSearchRules(text: string): SearchRules {
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "search") search = values;
    if (keyword === "domain") search = values.slice(0, 1);
    if (keyword !== "options") continue;
    for (const value of values) {
      const given = /^ndots:(\d+)$/.exec(value)?.[1];
      if (given !== undefined) ndots = Math.min(Number(given), 15); // RES_MAXNDOTS
    }
  }
  return { search: search.map((domain) => domain.replace(/\.$/, "")).filter((domain) => domain !== ""), ndots };
}

/** The names to look up, in their order, until one is found: as resolver(3) does it. The queries of c-ares do not. */
export function candidatesOf(name: string, { search, ndots }: SearchRules): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const completed = search.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...completed] : [...completed, name];
}
