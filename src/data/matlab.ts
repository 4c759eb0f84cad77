/**
 * The structures of a MATLAB file of level 5, as far as ImageNet's development kit needs them: fields that are numbers or
 * texts. "MAT-File Format", The MathWorks, chapter 1.
 */
import { inflateSync } from "node:zlib";

/** A field's value; undefined for what is neither a number nor a text. */
type Value = number | string | undefined;

const [unsigned16, matrix, compressed, utf8] = [4, 14, 15, 16];
const [structure, characters] = [2, 4];

/** How the first number of an element is read, by the element's type. */
const numbers: Readonly<Record<number, (data: Buffer) => number>> = {
  1: (data) => data.readInt8(),
  2: (data) => data.readUInt8(),
  3: (data) => data.readInt16LE(),
  [unsigned16]: (data) => data.readUInt16LE(),
  5: (data) => data.readInt32LE(),
  6: (data) => data.readUInt32LE(),
  7: (data) => data.readFloatLE(),
  9: (data) => data.readDoubleLE(),
};

interface Element {
  readonly type: number;
  readonly data: Buffer;
}

/** The elements one after another; of 8 bytes where their data has 4 or fewer, else padded to multiples of 8. */
function* elementsOf(bytes: Buffer): Generator<Element> {
  for (let at = 0; at + 8 <= bytes.length;) {
    const word = bytes.readUInt32LE(at);
    const isSmall = word >>> 16 !== 0;
    const [type, size] = isSmall ? [word & 0xffff, word >>> 16] : [word, bytes.readUInt32LE(at + 4)];
    const begin = at + (isSmall ? 4 : 8);
    yield { type, data: bytes.subarray(begin, begin + size) };
    at = isSmall ? at + 8 : begin + (type === compressed ? size : Math.ceil(size / 8) * 8);
  }
}

const numberOf = ({ type, data }: Element): Value => (data.length === 0 ? undefined : numbers[type]?.(data));

const textOf = ({ type, data }: Element): string =>
  data.toString(type === unsigned16 ? "utf16le" : type === utf8 ? "utf8" : "latin1");

function valueOf(data: Buffer): Value {
  const [flags, , , content] = elementsOf(data);
  if (flags === undefined || content === undefined) return undefined;
  return flags.data[0] === characters ? textOf(content) : numberOf(content);
}

/** The members of an array of structures. */
function membersOf(data: Buffer): Record<string, Value>[] {
  const [flags, , , length, fields, ...values] = elementsOf(data);
  if (flags?.data[0] !== structure) return [];
  const each = length.data.readInt32LE();
  const names = Array.from({ length: fields.data.length / each }, (_, i) =>
    fields.data.toString("latin1", i * each, (i + 1) * each).replace(/\0.*$/s, ""),
  );
  return Array.from({ length: Math.floor(values.length / names.length) }, (_, i) =>
    Object.fromEntries(names.map((name, k) => [name, valueOf(values[i * names.length + k].data)])),
  );
}

/** The members of all arrays of structures in a file. @throws Error for what is no such file */
export function readStructures(bytes: Buffer): Record<string, Value>[] {
  if (!bytes.toString("latin1", 0, 128).startsWith("MATLAB 5.0 MAT-file")) {
    throw new Error("it is no MATLAB file of level 5");
  }
  return [...elementsOf(bytes.subarray(128))].flatMap((element) => {
    const [inner] = element.type === compressed ? elementsOf(inflateSync(element.data)) : [element];
    return inner?.type === matrix ? membersOf(inner.data) : [];
  });
}
