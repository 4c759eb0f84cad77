/** Files of numbers and names that fewbit writes for itself: a head of JSON, arrays, and the SHA-256 of both. */
import { createHash } from "node:crypto";
import { readFile } from "../files/read.js";

const bytesIn = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The bytes of a head, of arrays of words and of a last one of bytes. */
export function pack(head: object, words: readonly Uint32Array[], rest: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const parts = [length, text, ...words.map(bytesIn), rest];
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return Buffer.concat([...parts, hash.digest()]);
}

export interface Packed {
  readonly head: unknown;
  /** The array of `count` words at a place that is counted in arrays of so many. */
  words(place: number, count: number): Uint32Array;
  /** What follows so many words. */
  rest(words: number): Uint8Array;
}

/** A hundred million names. */
const mostBytes = 2 ** 31;

/** What `pack` wrote into a file. @throws for one that is not whole */
export function readPacked(path: string): Packed {
  const bytes = readFile(path, mostBytes);
  const body = bytes.subarray(0, bytes.length - 32);
  const digest = createHash("sha256").update(body).digest();
  if (!digest.equals(bytes.subarray(bytes.length - 32))) throw new Error("its checksum is another");
  const end = 4 + body.readUInt32LE(0);
  return {
    head: JSON.parse(body.toString("utf8", 4, end)),
    words(place, count) {
      const begin = end + 4 * place * count;
      if (begin + 4 * count > body.length) throw new Error("it is too short");
      return new Uint32Array(Uint8Array.from(body.subarray(begin, begin + 4 * count)).buffer);
    },
    rest: (words) => body.subarray(end + 4 * words),
  };
}
