/** The images of other projects that manifests name, each once, in their order. */
export function findImages(manifests: readonly string[]): string[] {
  const images = manifests.flatMap((text) =>
    [...text.matchAll(/^\s*(?:- )?image: "?([^\s"]+)/gm)].map(([, image = ""]) => image),
  );
  return [...new Set(images)].filter((image) => !/(?:^|\/)grpc-lb\//.test(image));
}
