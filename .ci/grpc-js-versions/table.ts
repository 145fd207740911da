/** What one version of grpc-js did. */
export interface Row {
  readonly version: string;
  readonly isPeer: boolean;
  readonly isOk: boolean;
  /** "ok", or what is wrong. */
  readonly resolver: string;
  readonly policies: string;
}

const begin = "<!-- make grpc-js-versions writes from here -->";
const end = "<!-- to here -->";

export function formatTable(rows: readonly Row[]): string {
  const lines = rows.map(({ version, isPeer, resolver, policies }) =>
    ["", version, isPeer ? "yes" : "no", resolver, policies, ""].join(" | ").trim(),
  );
  return ["| grpc-js | accepted as peer | resolver | policies |", "|---|---|---|---|", ...lines].join("\n");
}

/** @throws Error when the page has no place for the table */
export function replaceTable(page: string, table: string): string {
  const [before, rest = ""] = page.split(begin);
  const [, after] = rest.split(end);
  if (after === undefined) throw new Error(`the page has no lines "${begin}" and "${end}"`);
  return `${before}${begin}\n\n${table}\n\n${end}${after}`;
}
