/**
 * What this cluster lacks for a strategy, from the error of kube-deploy, shortened.
 *
 * @returns null if the error has another reason
 */
export function whatIsMissing(problem: string): string | null {
  if (problem.includes("no address: server-outside")) return problem;
  // The image of a registry or proxy, which no registry or person has brought to the nodes.
  const [, variable] = /; (?:the nodes must have the image .*?; )?(\w+_IMAGE)=… sets another$/.exec(problem) ?? [];
  if (variable === undefined) return null;
  const [, image] = /image "([^"]+)"/.exec(problem) ?? [];
  return `the nodes cannot pull ${image ?? "the image"}; ${variable}=… sets another`;
}
