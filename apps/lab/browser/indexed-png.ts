import { crc32, deflateSync, inflateSync } from "node:zlib";

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const maxColours = 256;

/**
 * Writes a screenshot with a palette, which takes about a third: its most frequent colours stay, and each other one becomes the nearest
 * of them.
 *
 * @param png with 8 bits of red, green and blue, as Chromium writes it
 * @throws Error for another kind of PNG
 */
export function toIndexedPng(png: Uint8Array): Buffer {
  const { width, height, pixels } = decode(Buffer.from(png));
  const counts = new Map<number, number>();
  for (let at = 0; at < pixels.length; at += 3) {
    const colour = pixels.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const frequent = [...counts].sort(([, a], [, b]) => b - a).map(([colour]) => colour);
  const palette = choosePalette(frequent);
  const indexOf = new Map(frequent.map((colour) => [colour, indexOfNearest(palette, colour)]));
  const rows = Buffer.alloc((width + 1) * height); // each row begins with its filter: none
  for (let y = 0, at = 0; y < height; y += 1)
    for (let x = 1; x <= width; x += 1, at += 3) rows[y * (width + 1) + x] = indexOf.get(pixels.readUIntBE(at, 3)) ?? 0;

  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // 8 bits, of a palette
  const colours = Buffer.alloc(3 * palette.length);
  for (const [at, colour] of palette.entries()) colours.writeUIntBE(colour, 3 * at, 3);
  const chunks = [chunk("IHDR", header), chunk("PLTE", colours), chunk("IDAT", deflateSync(rows, { level: 9 }))];
  return Buffer.concat([signature, ...chunks, chunk("IEND", Buffer.alloc(0))]);
}

/** The most frequent colours that are not nearly the same as a more frequent one. */
function choosePalette(frequent: readonly number[]): readonly number[] {
  for (let distance = 0; ; distance = Math.max(1, distance * 2)) {
    const palette: number[] = [];
    for (const colour of frequent) {
      if (palette.every((each) => distanceBetween(each, colour) > distance)) palette.push(colour);
      if (palette.length > maxColours) break;
    }
    if (palette.length <= maxColours) return palette;
  }
}

function indexOfNearest(palette: readonly number[], colour: number): number {
  const distances = palette.map((each) => distanceBetween(each, colour));
  return distances.indexOf(Math.min(...distances));
}

/** The square of the distance of two colours. */
function distanceBetween(a: number, b: number): number {
  const parts = [16, 8, 0].map((bits) => ((a >> bits) & 255) - ((b >> bits) & 255));
  return parts.reduce((sum, part) => sum + part * part, 0);
}

function decode(png: Buffer): { readonly width: number; readonly height: number; readonly pixels: Buffer } {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  // 8 bits, red, green and blue, not interlaced.
  if (!png.subarray(0, 8).equals(signature) || png.subarray(24, 29).toString("hex") !== "0802000000")
    throw new Error("the picture is not a PNG with 8 bits of red, green and blue");
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") data.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const filtered = inflateSync(Buffer.concat(data));
  const stride = 3 * width;
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = filtered[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const left = x < 3 ? 0 : (pixels[at - 3] ?? 0);
      const up = pixels[at - stride] ?? 0;
      const leftUp = x < 3 ? 0 : (pixels[at - stride - 3] ?? 0);
      const predictions = [0, left, up, (left + up) >> 1, nearestOf(left + up - leftUp, [left, up, leftUp])];
      pixels[at] = (filtered[y * (stride + 1) + 1 + x] ?? 0) + (predictions[filter ?? 0] ?? 0);
    }
  }
  return { width, height, pixels };
}

/** The value that is nearest; of two the first. */
function nearestOf(wanted: number, values: readonly [number, number, number]): number {
  return values.reduce((best, value) => (Math.abs(value - wanted) < Math.abs(best - wanted) ? value : best));
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
