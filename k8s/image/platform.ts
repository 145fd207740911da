/** The fields of `docker image inspect` that are used here. */
export interface InspectedImage {
  readonly Os: string;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly RootFS: { readonly Layers: readonly string[] };
}

/** The base of an image, whatever its name: its platform, and its layers without the one that the Dockerfile adds. */
export function baseOf({ Os, Architecture, Variant, RootFS }: InspectedImage): { platform: string; layers: string } {
  const platform = [Os, Architecture, Variant].filter(Boolean).join("/");
  return { platform, layers: RootFS.Layers.slice(0, -1).join(" ") }; // the last one is the COPY of the Dockerfile
}

/** Whether an image's platform satisfies the requested one: `linux/arm64` and `linux/arm64/v8` match. */
export function isPlatform(got: string, wanted: string): boolean {
  return got === wanted || got.startsWith(`${wanted}/`) || wanted.startsWith(`${got}/`);
}
