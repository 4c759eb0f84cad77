/**
 * The safetensors format (https://github.com/huggingface/safetensors): eight bytes with the header's
 * length (little endian), a JSON header { name: { dtype, shape, data_offsets }, __metadata__ }, then
 * the tensors' bytes without gaps.
 *
 * The writer adds the SHA-256 of header and data to the metadata and the reader checks it, so that a
 * damaged file is never trained on. Files without it, from elsewhere, are read too, with the types that
 * PyTorch's have: halves, bfloat16 and booleans are widened.
 */
import { createHash } from "node:crypto";
import { checksumOf } from "../data/dataset.js";
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, isObject, objectOf } from "../errors/options.js";
import { sizeOf } from "../graph/tensor.js";
import { pieceBytes, readParts } from "../files/read.js";

/** The arrays that a safetensors file can hold. */
export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A tensor of a safetensors file. */
export interface StoredTensor {
  readonly data: TensorData;
  readonly shape: readonly number[];
}

/** What a safetensors file holds: tensors by name, and texts by key. */
export interface TensorFile {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const arrayTypes = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
} as const;
type StoredType = keyof typeof arrayTypes;

/** Types without arrays of their own become ones that hold each of their values: elements as written, and what they are. */
const widened = {
  F16: { array: Uint16Array, read: (bits: Uint16Array) => Float32Array.from(bits, floatOfHalf) },
  BF16: {
    array: Uint16Array,
    read: (bits: Uint16Array) => new Float32Array(Uint32Array.from(bits, (upper) => upper << 16).buffer),
  },
  BOOL: { array: Uint8Array, read: (bits: Uint8Array) => bits },
} as const;
type ReadType = StoredType | keyof typeof widened;
const readTypes = [...Object.keys(arrayTypes), ...Object.keys(widened)];

const lengthBytes = 8;
const maximumHeaderBytes = 100_000_000; // the format's own bound
const checksumKey = "sha256";
const metadataKey = "__metadata__";

const fileRules: Rules<TensorFile> = {
  tensors: objectOf("an object of tensors by name"),
  metadata: {
    allowed: "an object of texts",
    test: (value) => isObject(value) && Object.values(value).every((item) => typeof item === "string"),
  },
};

/** A file's bytes. Tensors are ordered by element size, then name. @throws UserError for what a file cannot hold. */
export function encodeTensors(file: TensorFile): Uint8Array {
  checkOptions("encodeTensors", file, fileRules);
  if (Object.hasOwn(file.metadata, checksumKey)) {
    throw new UserError(`metadata has "${checksumKey}", which encodeTensors writes itself; leave it out`);
  }
  for (const [name, tensor] of Object.entries(file.tensors)) {
    if (name === metadataKey) throw new UserError(`no tensor can have the name "${metadataKey}"; rename it`);
    const { data, shape } = Object(tensor) as StoredTensor;
    const isStored = Object.values(arrayTypes).some((type) => data instanceof type) && isIntegers(shape);
    if (!isStored || sizeOf(shape) !== data.length) {
      throw new UserError(
        `tensor ${name} must be { data, shape } of a typed array that its shape fits, got ${shown(tensor)}`,
      );
    }
  }
  const { tensors, metadata } = file;
  const typed = Object.entries(tensors).map(([name, { data, shape }]) => [
    name,
    { type: typeOf(data), shape, data },
  ]);
  const { sorted, entries } = layOut(Object.fromEntries(typed) as Record<string, Typed>);
  const parts = sorted.map(
    ({ data: { buffer, byteOffset, byteLength } }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  const header = headerOf(metadata, entries, checksumOfFile(metadata, entries, parts));
  return new Uint8Array(Buffer.concat([header, ...parts]));
}

type Typed = StoredTensor & Pick<TensorSource, "type">;

/** A tensor to write to a file, wherever its elements are. */
export interface TensorSource {
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** Its elements in order; a piece is valid until the next one is asked for. May be called more than once. */
  pieces(): Iterable<TensorData> | AsyncIterable<TensorData>;
}

/** A tensor in memory as a source. */
export const sourceOf = ({ data, shape }: StoredTensor): TensorSource => ({
  type: typeOf(data),
  shape,
  pieces: () => [data],
});

/**
 * A file's bytes, one piece after another, so that tensors need not be in memory. They are read twice: for the
 * checksum, which comes first, and to be written. A piece is valid until the next one is asked for.
 */
export async function* encodeSources(
  tensors: Readonly<Record<string, TensorSource>>,
  metadata: TensorFile["metadata"],
): AsyncGenerator<Uint8Array, void, undefined> {
  const { sorted, entries } = layOut(tensors);
  const hash = createHash("sha256").update(hashedHeader(metadata, entries));
  for (const source of sorted) for await (const piece of bytesOf(source)) hash.update(piece);
  yield headerOf(metadata, entries, hash.digest("hex"));
  for (const source of sorted) yield* bytesOf(source);
}

async function* bytesOf(source: TensorSource): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { buffer, byteOffset, byteLength } of source.pieces()) {
    for (let at = 0; at < byteLength; at += pieceBytes) {
      yield new Uint8Array(buffer, byteOffset + at, Math.min(pieceBytes, byteLength - at));
    }
  }
}

/**
 * A file's tensors in their order, and what its header says of them. They are ordered by element size, then name, so that
 * equal contents give equal bytes and all data is aligned.
 */
function layOut<T extends Pick<TensorSource, "type" | "shape">>(tensors: Readonly<Record<string, T>>) {
  const sizeOfElement = ({ type }: T): number => arrayTypes[type].BYTES_PER_ELEMENT;
  const sorted = Object.entries(tensors).sort(
    ([a, x], [b, y]) => sizeOfElement(y) - sizeOfElement(x) || (a < b ? -1 : 1),
  );
  let end = 0;
  const entries = Object.fromEntries(
    sorted.map(([name, tensor]) => {
      const { type, shape } = tensor;
      return [
        name,
        { dtype: type, shape, data_offsets: [end, (end += sizeOf(shape) * sizeOfElement(tensor))] },
      ];
    }),
  );
  return { sorted: sorted.map(([, tensor]) => tensor), entries };
}

/** The bytes of a file before its data. */
function headerOf(metadata: object, entries: object, checksum: string): Uint8Array {
  const json = Buffer.from(
    JSON.stringify({ [metadataKey]: { ...metadata, [checksumKey]: checksum }, ...entries }),
  );
  const headerBytes = Math.ceil(json.length / 8) * 8; // padded with spaces: the data starts aligned
  const header = new Uint8Array(lengthBytes + headerBytes).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, lengthBytes);
  return header;
}
/** A tensor as a header describes it, with the place of its bytes in the data. */
interface Placed {
  readonly name: string;
  readonly type: ReadType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The content of a file's header. */
export interface TensorHeader {
  /** In the order of their data, which they cover without gaps. */
  readonly tensors: readonly Placed[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads a file's bytes; `file` is its name in messages. Throws `UserError` at the first thing that is wrong. */
export function decodeTensors(bytes: Uint8Array, file: string): TensorFile {
  if (!(bytes instanceof Uint8Array)) {
    throw new UserError(`decodeTensors takes a file's bytes as a Uint8Array, got ${shown(bytes)}`);
  }
  const bad = unsound(file);
  const start = dataStart(bytes, bytes.length, bad);
  const data = bytes.subarray(start);
  const { tensors, metadata, entries, checksum } = parse(
    bytes.subarray(lengthBytes, start),
    data.length,
    file,
    bad,
  );
  const decoded = tensors.map(({ name, type, shape, begin, end }): [string, StoredTensor] => {
    // A copy, which is aligned and does not keep the file's bytes in memory.
    const copy = new Uint8Array(data.subarray(begin, end)).buffer;
    return [name, { data: dataOf(type, copy), shape }];
  });
  if (checksum !== undefined && checksum !== checksumOfFile(metadata, entries, [data])) {
    throw bad("it does not have the checksum that its header says, so it was damaged after it was written");
  }
  // Unlike an assignment, this makes an own property of any name, `__proto__` too.
  return { tensors: Object.fromEntries(decoded), metadata };
}

/** Reads a file's header alone, which takes no memory for its tensors. Throws `UserError` as `decodeTensors` does. */
export function readTensorHeader(path: string): TensorHeader {
  const bad = unsound(path);
  return readParts(path, (size, read) => {
    const start = dataStart(read(0, Math.min(size, lengthBytes)), size, bad);
    const { tensors, metadata } = parse(read(lengthBytes, start), size - start, path, bad);
    return { tensors, metadata };
  });
}

const unsound = (file: string) => (reason: string) =>
  new UserError(`${file} is not a sound safetensors file: ${reason}`);

/** Where the data begins in a file of so many bytes, by its first bytes. */
function dataStart(first: Uint8Array, fileBytes: number, bad: Bad): number {
  if (fileBytes < lengthBytes) throw bad(`it has only ${fileBytes} bytes`);
  const headerBytes = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (headerBytes > Math.min(maximumHeaderBytes, fileBytes - lengthBytes)) {
    throw bad(`its header should have ${headerBytes} bytes, the file has ${fileBytes}`);
  }
  return lengthBytes + headerBytes;
}

/** A header's JSON, and whether its tensors are those of so many bytes of data. */
function parse(json: Uint8Array, dataBytes: number, file: string, bad: Bad) {
  const { [metadataKey]: stored = {}, ...entries } = parseHeader(json, bad);
  if (!isObject(stored) || !Object.values(stored).every((value) => typeof value === "string")) {
    throw bad(`${metadataKey} is not a record of strings`);
  }
  const { [checksumKey]: checksum, ...metadata } = stored as Record<string, string>;
  const tensors = Object.entries(entries).map(([name, entry]): Placed => ({
    name,
    ...parseEntry(name, entry, file, bad),
  }));
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const { name, begin, end: entryEnd } of tensors) {
    if (begin !== end)
      throw bad(`the data of "${name}" begins at ${begin}, where the tensor before it ends at ${end}`);
    if (entryEnd > dataBytes) throw bad(`"${name}" ends at ${entryEnd}, the data at ${dataBytes}`);
    end = entryEnd;
  }
  if (end !== dataBytes) throw bad(`${dataBytes - end} bytes after the last tensor`);
  return { tensors, metadata, entries, checksum };
}

/** Over the header without the checksum itself, then the data. */
function checksumOfFile(metadata: object, entries: object, data: readonly Uint8Array[]): string {
  return checksumOf(hashedHeader(metadata, entries), ...data);
}

const hashedHeader = (metadata: object, entries: object): Buffer =>
  Buffer.from(JSON.stringify({ [metadataKey]: metadata, ...entries }));

type Bad = (reason: string) => UserError;

function parseHeader(bytes: Uint8Array, bad: Bad): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw bad("its header is not JSON");
  }
  if (!isObject(header)) throw bad("its header is not a JSON object");
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw bad(`its header names ${repeated} twice`);
  return header;
}

const isWidened = (type: ReadType): type is keyof typeof widened => Object.hasOwn(widened, type);

function dataOf(type: ReadType, bytes: ArrayBuffer): TensorData {
  if (!isWidened(type)) return new arrayTypes[type](bytes);
  const { array, read } = widened[type];
  return (read as (bits: Uint16Array | Uint8Array) => TensorData)(new array(bytes));
}

/** The value of an IEEE 754 half: ±f/1024 · 2^-14, ±(1 + f/1024) · 2^(e - 15), infinite or NaN. */
function floatOfHalf(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, (bits & 1023) / 1024];
  const size =
    exponent === 31
      ? fraction === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? fraction * 2 ** -14
        : (1 + fraction) * 2 ** (exponent - 15);
  return bits >> 15 === 1 ? -size : size;
}

function parseEntry(name: string, entry: unknown, file: string, bad: Bad) {
  const { dtype, shape, data_offsets: offsets, ...others } = isObject(entry) ? entry : {};
  if (typeof dtype !== "string") throw bad(`"${name}" has type ${shown(dtype)}, which is not a text`);
  if (!readTypes.includes(dtype)) {
    throw new UserError(
      `${file} has "${name}" of type ${shown(dtype)}, which fewbit does not read; ${readTypes.join(", ")} are read`,
    );
  }
  for (const key of Object.keys(others)) throw bad(`"${name}" has "${key}", which no tensor has`);
  if (!isIntegers(shape)) throw bad(`"${name}" has no valid shape`);
  if (!isIntegers(offsets) || offsets.length !== 2) throw bad(`"${name}" has no valid data_offsets`);
  const [begin, end] = offsets;
  const type = dtype as ReadType;
  const { BYTES_PER_ELEMENT: bytes } = isWidened(type) ? widened[type].array : arrayTypes[type];
  const needed = shape.reduce((product, extent) => product * extent, bytes);
  if (end - begin !== needed) {
    throw bad(`"${name}" is ${type} [${shape.join(", ")}], ${needed} bytes, but has ${end - begin}`);
  }
  return { type, shape, begin, end };
}

/** The first key that some object of the JSON text holds twice; `JSON.parse` would silently keep the last. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  // What a regular expression would say of strings, which may be too long for one.
  for (let at = 0; at < json.length; at++) {
    const token = json[at];
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (token === '"') {
      const end = endOfString(json, at);
      let next = end;
      while (" \t\n\r".includes(json[next])) next++;
      if (json[next] === ":") {
        const key = json.slice(at, end);
        const name = JSON.parse(key) as string;
        const keys = open[open.length - 1];
        if (keys.has(name)) return key;
        keys.add(name);
      }
      at = next - 1;
    }
  }
  return undefined;
}

/** Behind the quotation mark that ends the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** The element type as which an array is written. */
export function typeOf(data: TensorData): StoredType {
  const found = Object.entries(arrayTypes).find(([, type]) => data instanceof type);
  if (found === undefined) throw new TypeError(`cannot store ${data.constructor.name}`);
  return found[0] as StoredType;
}

function isIntegers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);
}
