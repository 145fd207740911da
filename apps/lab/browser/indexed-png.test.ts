import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { toIndexedPng } from "./indexed-png.ts";

const signature = "89504e470d0a1a0a";

/** A PNG of rows of red, green and blue, the n-th written with the n-th of the five filters. */
function writePng(rows: readonly (readonly number[])[]): Buffer {
  const data = rows.flatMap((row, y) => {
    const filter = y % 5;
    const filtered = row.map((value, x) => {
      const [left, up, leftUp] = [row[x - 3] ?? 0, rows[y - 1]?.[x] ?? 0, rows[y - 1]?.[x - 3] ?? 0];
      const wanted = left + up - leftUp;
      const [a, b, c] = [left, up, leftUp].map((each) => Math.abs(each - wanted)) as [number, number, number];
      const paeth = a <= b && a <= c ? left : b <= c ? up : leftUp;
      return (value - ([0, left, up, Math.floor((left + up) / 2), paeth][filter] ?? 0)) & 255;
    });
    return [filter, ...filtered];
  });
  const chunk = (type: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), content]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from("00000000000000000802000000", "hex");
  header.writeUInt32BE((rows[0]?.length ?? 0) / 3, 0);
  header.writeUInt32BE(rows.length, 4);
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.from(data))), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([Buffer.from(signature, "hex"), ...chunks]);
}

/** The rows of a PNG with a palette and without filters; fails if a checksum is wrong. */
function readIndexed(png: Buffer): number[][] {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(body));
    chunks.set(body.toString("latin1", 0, 4), body.subarray(4));
    at += length + 12;
  }
  const palette = chunks.get("PLTE") ?? Buffer.alloc(0);
  assert.ok(palette.length <= 3 * 256, `${palette.length / 3} colours`);
  const width = chunks.get("IHDR")?.readUInt32BE(0) ?? 0;
  const data = [...inflateSync(chunks.get("IDAT") ?? Buffer.alloc(0))];
  const starts = data.flatMap((_, at) => (at % (width + 1) === 0 ? at : []));
  return starts.map((start) =>
    data.slice(start + 1, start + 1 + width).flatMap((index) => [...palette.subarray(3 * index, 3 * index + 3)]),
  );
}

test("a picture of few colours stays as it is, whatever its filters", () => {
  const rows = Array.from({ length: 10 }, (_, y) =>
    Array.from({ length: 4 }, (_, x) => [(40 * x + 7 * y) & 255, 255 - 20 * y, (x * y) & 255]).flat(),
  );
  assert.deepEqual(readIndexed(toIndexedPng(writePng(rows))), rows);
});

test("of more than 256 colours, each becomes one that is near", () => {
  const rows = Array.from({ length: 32 }, (_, y) => Array.from({ length: 32 }, (_, x) => [8 * x, 8 * y, 100]).flat());
  const got = readIndexed(toIndexedPng(writePng(rows))).flat();
  const furthest = Math.max(...rows.flat().map((value, at) => Math.abs(value - (got[at] ?? 0))));
  assert.ok(furthest <= 16, `a part of a colour changed by ${furthest}`);
});

test("another kind of picture is an error", () => {
  assert.throws(() => toIndexedPng(Buffer.alloc(64)), /not a PNG with 8 bits of red, green and blue/);
});
