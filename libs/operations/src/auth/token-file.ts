import type { Interceptor } from "@grpc/grpc-js";
import { messageOf } from "@grpc-lb/core";
import { fileFlag, ProgramError } from "@grpc-lb/program";

/** The flag of a client that identifies itself with a token. */
export const tokenFlags = {
  tokenFile: fileFlag({
    help: "file with a token, read again every 10 s; each call has it as authorization: Bearer",
  }),
};

/**
 * Takes the token of each HTTP request from a file, read again every 10 s; undefined without a file. A request fails with a reason that
 * names the file and has nothing of the token.
 *
 * @throws ProgramError with exit code 2 for a file that has no token now
 */
export async function openTokenFile(path: string): Promise<(() => Promise<string>) | undefined> {
  if (path === "") return undefined;
  const { tokenFromFile } = await import("@grpc-lb/interceptors"); // only for programs that have a token
  const source = tokenFromFile(path);
  const token = async () => source();
  try {
    await token();
  } catch (cause) {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 2 });
  }
  return token;
}

/** The same for the calls of a grpc-js client; empty without a file. */
export async function createTokenInterceptors(path: string): Promise<Interceptor[]> {
  const token = await openTokenFile(path);
  if (!token) return [];
  const { createClientAuth } = await import("@grpc-lb/interceptors");
  return [createClientAuth({ token })];
}
