/**
 * A name that may stand in `:authority` and be checked by TLS: a host that URL takes, as grpc-js asks for. The last part of a
 * name with slashes is taken; what cannot be in a host becomes a hyphen.
 *
 * @param fallback for a name with nothing that may stand there
 */
export function toAuthority(name: string, fallback: string): string {
  const part = name.split("/").at(-1) ?? "";
  const host = part.replaceAll(/[^\w.-]+/g, "-").replaceAll(/^[.-]+|[.-]+$/g, "");
  return URL.canParse(`http://${host}`) ? host : fallback;
}
