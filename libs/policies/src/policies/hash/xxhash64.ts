/**
 * XXH64 of the UTF-8 bytes of `text`, seed 0: the hash of gRFC A42 for requests and for ring entries (`XX_HASH` in Envoy), as
 * https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md specifies it. Not for secrets. It creates a BigInt: build
 * tables with `hashText`, and hash a call's key with `hashText32`.
 */
export function xxHash64(text: string): bigint {
  digestText(text);
  return (BigInt((hash[1] as number) >>> 0) << 32n) | BigInt((hash[0] as number) >>> 0);
}

/**
 * The upper 53 bits of XXH64 (see `xxHash64`): an integer, uniform in [0, 2^53). It orders texts as all 64 bits do, except for a
 * tie in one of 2^53. Hashes up to 256 characters without an allocation. A lone surrogate counts as U+FFFD, as in any UTF-8.
 */
export function hashText(text: string): number {
  digestText(text);
  return ((hash[1] as number) >>> 0) * 2 ** 21 + ((hash[0] as number) >>> 11);
}

/**
 * The upper 32 bits of XXH64 (see `xxHash64`) minus 2^31: an integer, uniform in [-2^31, 2^31). It orders texts as `hashText`
 * does, except for a tie in one of 2^32. For the keys of calls: it allocates nothing, not even its result, while a 53-bit number
 * becomes a heap object wherever it passes between functions.
 */
export function hashText32(text: string): number {
  digestText(text);
  return (hash[1] as number) ^ 0x8000_0000;
}

/** The `hashText32` of a text, from its `hashText`. */
export function upper32(hash: number): number {
  return Math.floor(hash / 2 ** 21) - 2 ** 31;
}

// A 64-bit number is a pair of 32-bit numbers, low half first: a double holds only 53 bits, and BigInt is ten times slower. The
// steps are written out, because V8 stops inlining small functions into a caller that has grown.
const prime1Low = 0x85ebca87 | 0;
const prime1High = 0x9e3779b1 | 0;
const prime2Low = 0x27d4eb4f | 0;
const prime2High = 0xc2b2ae3d | 0;
const prime3Low = 0x9e3779f9 | 0;
const prime3High = 0x165667b1 | 0;
const prime4Low = 0xc2b2ae63 | 0;
const prime4High = 0x85ebca77 | 0;
const prime5Low = 0x165667c5 | 0;
const prime5High = 0x27d4eb2f | 0;

/** prime1 + prime2, prime2, 0, -prime1. */
const firstLanes = Int32Array.of(0xadc0b5d6, 0x60ea27ee, prime2Low, prime2High, 0, 0, 0x7a143579, 0x61c8864e);
/** By how many bits each lane is rotated where the lanes join, at the index of its low half. */
const joins = Int32Array.of(1, 0, 7, 0, 12, 0, 18, 0);
/** Four pairs, one for each quarter of a 32-byte stripe. */
const lanes = new Int32Array(8);
const hash = new Int32Array(2);

const scratchCharacters = 256;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const scratch = Buffer.alloc(scratchCharacters * 3);
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);

function digestText(text: string): void {
  if (text.length <= scratchCharacters) {
    digest(scratchView, scratch.write(text));
  } else {
    const bytes = Buffer.from(text);
    digest(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length);
  }
}

/** Writes the hash of the first `length` bytes to `hash`. */
function digest(bytes: DataView, length: number): void {
  let at = 0;
  if (length < 32) {
    hash[0] = prime5Low;
    hash[1] = prime5High;
  } else {
    for (let i = 0; i < 8; i++) lanes[i] = firstLanes[i] as number;
    for (; at + 32 <= length; at += 32) {
      round(0, bytes.getInt32(at, true), bytes.getInt32(at + 4, true));
      round(2, bytes.getInt32(at + 8, true), bytes.getInt32(at + 12, true));
      round(4, bytes.getInt32(at + 16, true), bytes.getInt32(at + 20, true));
      round(6, bytes.getInt32(at + 24, true), bytes.getInt32(at + 28, true));
    }
    joinLanes();
  }
  const low = ((hash[0] as number) + length) | 0;
  if (low >>> 0 < length) hash[1] = (hash[1] as number) + 1;
  hash[0] = low;
  for (; at + 8 <= length; at += 8) mix(bytes.getInt32(at, true), bytes.getInt32(at + 4, true), 27);
  if (at + 4 <= length) {
    mixWord(bytes.getInt32(at, true));
    at += 4;
  }
  for (; at < length; at++) mixByte(bytes.getUint8(at));
  avalanche();
}

/** lane = rotateLeft(lane + input * prime2, 31) * prime1 */
function round(lane: number, inputLow: number, inputHigh: number): void {
  const low = Math.imul(inputLow, prime2Low);
  const high = productHigh(inputLow, inputHigh, prime2Low, prime2High);
  const sumLow = ((lanes[lane] as number) + low) | 0;
  const sumHigh = ((lanes[lane + 1] as number) + high + (sumLow >>> 0 < low >>> 0 ? 1 : 0)) | 0;
  const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
  const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
  lanes[lane] = Math.imul(turnedLow, prime1Low);
  lanes[lane + 1] = productHigh(turnedLow, turnedHigh, prime1Low, prime1High);
}

/** hash = the sum of the rotated lanes; then each lane is mixed in. */
function joinLanes(): void {
  let low = 0;
  let high = 0;
  for (let lane = 0; lane < 8; lane += 2) {
    const laneLow = lanes[lane] as number;
    const laneHigh = lanes[lane + 1] as number;
    const left = joins[lane] as number;
    const turnedLow = (laneLow << left) | (laneHigh >>> (32 - left));
    const turnedHigh = (laneHigh << left) | (laneLow >>> (32 - left));
    low = (low + turnedLow) | 0;
    high = (high + turnedHigh + (low >>> 0 < turnedLow >>> 0 ? 1 : 0)) | 0;
  }
  hash[0] = low;
  hash[1] = high;
  for (let lane = 0; lane < 8; lane += 2) mix(lanes[lane] as number, lanes[lane + 1] as number, 0);
}

/** hash = rotateLeft(hash ^ rotateLeft(input * prime2, 31) * prime1, left) * prime1 + prime4; left is 0 or 27. */
function mix(inputLow: number, inputHigh: number, left: number): void {
  const low = Math.imul(inputLow, prime2Low);
  const high = productHigh(inputLow, inputHigh, prime2Low, prime2High);
  const turnedLow = (low << 31) | (high >>> 1);
  const turnedHigh = (high << 31) | (low >>> 1);
  let mixedLow = (hash[0] as number) ^ Math.imul(turnedLow, prime1Low);
  let mixedHigh = (hash[1] as number) ^ productHigh(turnedLow, turnedHigh, prime1Low, prime1High);
  if (left > 0) {
    const upper = mixedLow >>> (32 - left);
    mixedLow = (mixedLow << left) | (mixedHigh >>> (32 - left));
    mixedHigh = (mixedHigh << left) | upper;
  }
  const sumLow = (Math.imul(mixedLow, prime1Low) + prime4Low) | 0;
  const carry = sumLow >>> 0 < prime4Low >>> 0 ? 1 : 0;
  hash[0] = sumLow;
  hash[1] = productHigh(mixedLow, mixedHigh, prime1Low, prime1High) + prime4High + carry;
}

/** hash = rotateLeft(hash ^ input * prime1, 23) * prime2 + prime3 */
function mixWord(input: number): void {
  const low = (hash[0] as number) ^ Math.imul(input, prime1Low);
  const high = (hash[1] as number) ^ productHigh(input, 0, prime1Low, prime1High);
  const turnedLow = (low << 23) | (high >>> 9);
  const turnedHigh = (high << 23) | (low >>> 9);
  const sumLow = (Math.imul(turnedLow, prime2Low) + prime3Low) | 0;
  const carry = sumLow >>> 0 < prime3Low >>> 0 ? 1 : 0;
  hash[0] = sumLow;
  hash[1] = productHigh(turnedLow, turnedHigh, prime2Low, prime2High) + prime3High + carry;
}

/** hash = rotateLeft(hash ^ input * prime5, 11) * prime1 */
function mixByte(input: number): void {
  const low = (hash[0] as number) ^ Math.imul(input, prime5Low);
  const high = (hash[1] as number) ^ productHigh(input, 0, prime5Low, prime5High);
  const turnedLow = (low << 11) | (high >>> 21);
  const turnedHigh = (high << 11) | (low >>> 21);
  hash[0] = Math.imul(turnedLow, prime1Low);
  hash[1] = productHigh(turnedLow, turnedHigh, prime1Low, prime1High);
}

/** Makes each bit affect all others: hash ^= hash >>> 33, * prime2, ^= hash >>> 29, * prime3, ^= hash >>> 32. */
function avalanche(): void {
  const high = hash[1] as number;
  const low = (hash[0] as number) ^ (high >>> 1);
  const secondLow = Math.imul(low, prime2Low);
  const secondHigh = productHigh(low, high, prime2Low, prime2High);
  const thirdLow = secondLow ^ ((secondLow >>> 29) | (secondHigh << 3));
  const thirdHigh = secondHigh ^ (secondHigh >>> 29);
  const lastHigh = productHigh(thirdLow, thirdHigh, prime3Low, prime3High);
  hash[0] = Math.imul(thirdLow, prime3Low) ^ lastHigh;
  hash[1] = lastHigh;
}

/** The upper half of the lower 64 bits of a product, from 16-bit by 16-bit products, whose sums stay below 2^32. */
function productHigh(low: number, high: number, primeLow: number, primeHigh: number): number {
  const a = low & 0xffff;
  const b = low >>> 16;
  const c = primeLow & 0xffff;
  const d = primeLow >>> 16;
  const middle = (Math.imul(b, c) + (Math.imul(a, c) >>> 16)) | 0;
  const other = (Math.imul(a, d) + (middle & 0xffff)) | 0;
  const carried = Math.imul(b, d) + (middle >>> 16) + (other >>> 16);
  return (carried + Math.imul(low, primeHigh) + Math.imul(high, primeLow)) | 0;
}
