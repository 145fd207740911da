/** Messages of DNS (RFC 1035, section 4), as far as a fake name server reads and writes them. */

/** The types of records that the server has. */
export type RecordType = "A" | "AAAA" | "SRV";
/** What an answer can say. */
export type ResponseCode = "NOERROR" | "FORMERR" | "SERVFAIL" | "NXDOMAIN" | "NOTIMP" | "REFUSED";

/** RFC 2782. */
export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export interface Question {
  readonly id: number;
  /** In lower case, without the dot at its end. */
  readonly name: string;
  /** Undefined for a type that the fake does not know. */
  readonly type: RecordType | undefined;
  /** As it stands in the message. */
  readonly bytes: Buffer;
}

export interface Answer {
  readonly id: number;
  readonly code: ResponseCode;
  readonly isTruncated: boolean;
  readonly ttlSeconds: number;
  readonly records: readonly (string | ServiceRecord)[];
}

const typeNumbers: Readonly<Record<RecordType, number>> = { A: 1, AAAA: 28, SRV: 33 };
const codes: readonly ResponseCode[] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
const headerBytes = 12;

/** Reads a query with one question. */
export function decodeQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = headerBytes;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const number = message.readUInt16BE(at + 1);
  const type = (Object.keys(typeNumbers) as RecordType[]).find((each) => typeNumbers[each] === number);
  return {
    id: message.readUInt16BE(0),
    name: labels.join(".").toLowerCase(),
    type,
    bytes: message.subarray(headerBytes, at + 5),
  };
}

/** Writes the answer to a question. */
export function encodeAnswer({ bytes, type }: Question, answer: Answer): Buffer {
  const header = Buffer.alloc(headerBytes);
  const records = answer.isTruncated ? [] : answer.records;
  header.writeUInt16BE(answer.id, 0);
  // QR, AA, RD and RA are set; then the response code.
  header.writeUInt16BE(0x8580 | (answer.isTruncated ? 0x0200 : 0) | codes.indexOf(answer.code), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const encoded = records.map((record) => {
    const data = typeof record === "string" ? encodeAddress(record) : encodeService(record);
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc000 | headerBytes, 0); // the name is that of the question
    head.writeUInt16BE(type === undefined ? 0 : typeNumbers[type], 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(answer.ttlSeconds, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, bytes, ...encoded]);
}

function encodeAddress(text: string): Buffer {
  if (!text.includes(":")) return Buffer.from(text.split(".").map(Number));
  const [before = "", after = ""] = text.split("::");
  const [head, tail] = [before, after].map((part) => (part === "" ? [] : part.split(":")));
  const groups = [...(head ?? []), ...Array(8 - (head?.length ?? 0) - (tail?.length ?? 0)).fill("0"), ...(tail ?? [])];
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function encodeService({ priority, weight, port, target }: ServiceRecord): Buffer {
  const numbers = Buffer.alloc(6);
  for (const [n, number] of [priority, weight, port].entries()) numbers.writeUInt16BE(number, n * 2);
  const labels = target.split(".").filter((label) => label !== "");
  const name = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([numbers, ...name, Buffer.from([0])]);
}
