/** What `docker image inspect` says about an image, as far as it is of use here. */
export interface InspectedImage {
  readonly Os: string;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly RootFS: { readonly Layers: readonly string[] };
}

/** What an image of ours stands on, whatever the base is called: its platform and its layers, all but our own. */
export function baseOf({ Os, Architecture, Variant, RootFS }: InspectedImage): { platform: string; layers: string } {
  const platform = [Os, Architecture, Variant].filter(Boolean).join("/");
  return { platform, layers: RootFS.Layers.slice(0, -1).join(" ") }; // the Dockerfile adds one: its COPY
}

/** Whether an image's platform is the one asked for: `linux/arm64` is also `linux/arm64/v8`. */
export function isPlatform(got: string, wanted: string): boolean {
  return got === wanted || got.startsWith(`${wanted}/`) || wanted.startsWith(`${got}/`);
}
