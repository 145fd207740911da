/** Watched files of JSON or YAML, for programs of this repository; not published. */
export { toDiscoveryError } from "./error.ts";
export { describeKind, FieldError, type FieldPath, shownNameTwice, unknownField } from "./fields.ts";
export { FileWatch } from "./file-watch.ts";
export { readDocumentOf } from "./reader.ts";
