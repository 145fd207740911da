import type { OptionRule } from "@grpc-lb/core";
import { guardCallback, ignore } from "./call/guard-callback.ts";

/** A function of a logger: the fields of an entry, and its text. */
export type LogFunction = (fields: object, message: string) => void;

/** What interceptors need of a logger; a pino logger is one, and so is each of its children. */
export interface Logger {
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
}

/** The levels at which interceptors log. */
export type LogLevel = keyof Logger;

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The rule of an option that is a logger: one without a level would lose the entries of that level, and nobody would know. */
export const loggerRule: OptionRule = (value) => {
  const functions = (value ?? {}) as { readonly [Level in LogLevel]?: unknown };
  const isLogger = levels.every((level) => typeof functions[level] === "function");
  return isLogger ? undefined : `must have the functions ${levels.join(", ")}`;
};

/** Writes an entry. A logger that throws does not fail the call. */
export const writeEntry = guardCallback(
  (logger: Logger, level: LogLevel, fields: object, message: string): void => logger[level](fields, message),
  ignore,
);
