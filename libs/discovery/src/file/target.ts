import { unescapeText } from "../core/target/parameters.ts";
import type { Scheme } from "../core/target/scheme.ts";

/** `file:///path.yaml`: the endpoints of a file, which is watched. */
export interface FileTarget {
  readonly t: "file";
  /** Absolute. */
  readonly path: string;
}

export const file: Scheme<FileTarget> = {
  grammar: "file:///path/of/endpoints.yaml, an absolute path",
  parameters: [],
  mayHoldAt: true,
  parse({ authority, path, wrong }) {
    if (authority !== "") throw wrong(`the path stands behind three slashes, and "${authority}" behind two`);
    if (path === "" || path.endsWith("/")) throw wrong("it names no file");
    return { t: "file", path: `/${unescapeText(path, wrong)}` };
  },
};
