import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { UserError } from "../errors.js";
import type { StoredTensor } from "./safetensors.js";
import { decodeTensors, encodeTensors } from "./safetensors.js";

/** A file as the format's description says, from a header and data. */
function file(header: unknown, data: readonly number[], headerText = JSON.stringify(header)): Uint8Array {
  const json = Buffer.from(headerText);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.from(data)]);
}

const tensor = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

const anyTensor: fc.Arbitrary<StoredTensor> = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), fc.integer({ min: 0, max: 7 }), fc.nat())
  .map(([shape, type, seed]) => {
    const types = [
      Float64Array,
      Float32Array,
      Int32Array,
      Uint32Array,
      Int16Array,
      Uint16Array,
      Int8Array,
      Uint8Array,
    ] as const;
    const count = shape.reduce((a, b) => a * b, 1);
    return { shape, data: new types[type](Array.from({ length: count }, (_, i) => (seed % 1000) + i / 2)) };
  });

const anyFile = fc.record({
  tensors: fc.dictionary(
    fc.string({ maxLength: 12 }).filter((name) => name !== "__metadata__"),
    anyTensor,
    { maxKeys: 5 },
  ),
  metadata: fc.constantFrom<Record<string, string>>({}, { epoch: "3", quoted: 'a "b" {c}: \\' }),
});

test("what is written is read again", () => {
  fc.assert(
    fc.property(anyFile, ({ tensors, metadata }) => {
      const read = decodeTensors(encodeTensors({ tensors, metadata }), "f");
      expect(read.tensors).toEqual(tensors);
      expect(read.metadata).toEqual(metadata);
    }),
  );
});

test("what could not be read again is not written", () => {
  const of = (shape: number[], name = "a", metadata: Record<string, string> = {}) => ({
    tensors: { [name]: { data: new Uint8Array(2), shape } },
    metadata,
  });
  const refused: [ReturnType<typeof of>, string][] = [
    [of([-1, -2]), "tensor a must be { data, shape } of a typed array that its shape fits"],
    [of([0.5, 4]), "tensor a must be { data, shape } of a typed array that its shape fits"],
    [of([2], "__metadata__"), 'no tensor can have the name "__metadata__"; rename it'],
    [of([2], "a", { sha256: "0" }), 'metadata has "sha256", which encodeTensors writes itself; leave it out'],
  ];
  for (const [given, message] of refused) {
    expect(() => encodeTensors(given)).toThrow(UserError);
    expect(() => encodeTensors(given)).toThrow(message);
  }
});

test("a tensor may have any name, also that of an object's prototype", () => {
  const tensors = Object.fromEntries([["__proto__", { data: Uint8Array.of(3), shape: [1] }]]);
  const read = decodeTensors(encodeTensors({ tensors, metadata: {} }), "f").tensors;
  expect(Object.entries(read)).toEqual(Object.entries(tensors));
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
});

test("equal contents give equal bytes, whatever their order", () => {
  const a = { data: Float32Array.of(1, 2), shape: [2] };
  const b = { data: Uint8Array.of(3), shape: [] };
  const one = encodeTensors({ tensors: { a, b }, metadata: {} });
  expect(encodeTensors({ tensors: { b, a }, metadata: {} })).toEqual(one);
});

test("the bytes are the format's", () => {
  const bytes = encodeTensors({
    tensors: { w: { data: Float32Array.of(1, -2), shape: [2, 1] } },
    metadata: { k: "v" },
  });
  const view = Buffer.from(bytes);
  const headerBytes = Number(view.readBigUInt64LE(0));
  const header = JSON.parse(view.subarray(8, 8 + headerBytes).toString()) as Record<string, unknown>;
  expect(headerBytes % 8).toBe(0);
  expect(header.w).toEqual({ dtype: "F32", shape: [2, 1], data_offsets: [0, 8] });
  expect(header.__metadata__).toMatchObject({ k: "v" });
  expect([view.readFloatLE(8 + headerBytes), view.readFloatLE(12 + headerBytes)]).toEqual([1, -2]);
});

test("a file from elsewhere, without checksum and padding, is read", () => {
  const { tensors } = decodeTensors(
    file({ a: tensor("I32", [2], 1, 9), b: tensor("U8", [], 0, 1) }, [7, 1, 0, 0, 0, 2, 0, 0, 0]),
    "f",
  );
  expect(tensors).toEqual({
    a: { data: Int32Array.of(1, 2), shape: [2] },
    b: { data: Uint8Array.of(7), shape: [] },
  });
});

test("every type that PyTorch's files have is read, as Python's own package wrote it", () => {
  const golden = (name: string) => readFileSync(new URL(`../../tools/golden/data/${name}`, import.meta.url));
  const described = JSON.parse(golden("state-dict.json").toString()) as Record<
    string,
    { readonly shape: number[]; readonly values: string[] }
  >;
  const { tensors, metadata } = decodeTensors(golden("state-dict.safetensors"), "f");
  expect(metadata).toEqual({ format: "pt" });
  expect(Object.keys(tensors).sort()).toEqual(Object.keys(described).sort());
  // Python writes inf and nan; whole numbers beyond 2^53 keep all their digits.
  const numberOf = (text: string) =>
    /^-?\d+$/.test(text) ? BigInt(text) : Number(text.replace("inf", "Infinity").replace("nan", "NaN"));
  for (const [name, { shape, values }] of Object.entries(described)) {
    const { data, shape: read } = tensors[name];
    expect(read, name).toEqual(shape);
    const exact = Array.from<number | bigint>(data).map((value) =>
      /^-?\d+$/.test(values[0] ?? "") ? BigInt(value) : value,
    );
    expect(exact, name).toEqual(values.map(numberOf));
  }
  expect(decodeTensors(encodeTensors({ tensors, metadata }), "f").tensors).toEqual(tensors);
  expect(() => decodeTensors(golden("float8.safetensors"), "model.safetensors")).toThrow(
    new UserError(
      'model.safetensors has "scale" of type "F8_E4M3", which fewbit does not read; F64, F32, I64, U64, I32, U32, I16, U16, I8, U8, F16, BF16, BOOL are read',
    ),
  );
});

test("a header with a text of 50 MB is refused or read as any other is", () => {
  const long = "x".repeat(50_000_000);
  expect(() => decodeTensors(file(null, [], JSON.stringify(long)), "file")).toThrow(/not a JSON object/);
  expect(() => decodeTensors(file({ [long]: {} }, []), "file")).toThrow(UserError);
  const { metadata } = decodeTensors(file({ __metadata__: { long } }, []), "file");
  expect(metadata.long).toHaveLength(long.length);
});

test("any changed byte, any cut and any addition is noticed", () => {
  const bytes = encodeTensors({
    tensors: {
      w: { data: Float32Array.of(1, 2, 3), shape: [3] },
      n: { data: Uint8Array.of(1, 2), shape: [2] },
    },
    metadata: { epoch: "1" },
  });
  const headerEnd = 8 + Number(Buffer.from(bytes).readBigUInt64LE(0));
  const refused = (damaged: Uint8Array) => expect(() => decodeTensors(damaged, "f")).toThrow(UserError);
  fc.assert(
    fc.property(
      fc.integer({ min: headerEnd, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, flip) => {
        const damaged = bytes.slice();
        damaged[at] ^= flip;
        refused(damaged);
      },
    ),
  );
  for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length));
  refused(Buffer.concat([bytes, Buffer.from([0])]));
});

test("a damaged header is refused or reads as well-formed tensors, and never fails in another way", () => {
  const bytes = encodeTensors({
    tensors: { w: { data: Float32Array.of(1, 2, 3), shape: [3] } },
    metadata: {},
  });
  const headerEnd = 8 + Number(Buffer.from(bytes).readBigUInt64LE(0));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: headerEnd - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = bytes.slice();
      damaged[at] ^= flip;
      try {
        for (const { data, shape } of Object.values(decodeTensors(damaged, "f").tensors)) {
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        }
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }),
    { numRuns: 1000 },
  );
});

describe("refuses", () => {
  const good = tensor("U8", [2], 0, 2);
  test.each<[string, Uint8Array, RegExp]>([
    ["a file shorter than its length field", Buffer.from([1, 2]), /only 2 bytes/],
    ["a header longer than the file", file({}, []).fill(255, 0, 8), /should have 18446744073709552000 bytes/],
    ["a header that is not JSON", file(null, [], "{nonsense"), /not JSON/],
    ["a header that is not an object", file([], []), /not a JSON object/],
    [
      "a gap between tensors",
      file({ a: good, b: tensor("U8", [1], 3, 4) }, [1, 2, 3, 4]),
      /"b" begins at 3.*ends at 2/,
    ],
    ["an overlap", file({ a: good, b: tensor("U8", [2], 1, 3) }, [1, 2, 3]), /"b" begins at 1.*ends at 2/],
    ["data beyond the file", file({ a: tensor("U8", [9], 0, 9) }, [1, 2]), /"a" ends at 9, the data at 2/],
    ["bytes that belong to no tensor", file({ a: good }, [1, 2, 3]), /1 bytes after the last tensor/],
    [
      "a shape that does not fit",
      file({ a: tensor("F32", [1], 0, 2) }, [1, 2]),
      /F32 \[1\], 4 bytes, but has 2/,
    ],
    [
      "a shape whose product overflows",
      file({ a: tensor("F32", [2 ** 52, 2 ** 52], 0, 2) }, [1, 2]),
      /but has 2/,
    ],
    ["a negative extent", file({ a: tensor("U8", [-2], 0, 2) }, [1, 2]), /no valid shape/],
    [
      "offsets of three numbers",
      file({ a: { ...good, data_offsets: [0, 2, 3] } }, [1, 2]),
      /no valid data_offsets/,
    ],
    [
      "a type that is no text",
      file({ a: { ...good, dtype: [8] } }, [1, 2]),
      /"a" has type \[8\], which is no/,
    ],
    [
      "a type too deep to be shown",
      file(null, [], `{"a":{"dtype":${"[".repeat(1e5)}${"]".repeat(1e5)}}}`),
      /"a" has type \[\.\.\.\], which is no/,
    ],
    [
      "what no tensor has, however deep",
      file(
        null,
        [1, 2],
        `{"a":${JSON.stringify(good).replace("{", `{"x":${"[".repeat(1e5)}${"]".repeat(1e5)},`)}}`,
      ),
      /"a" has "x", which no tensor has$/,
    ],
    [
      "a name of two lines",
      file({ "a\nb": { ...good, shape: [-1] } }, [1, 2]),
      /: "a\\u000ab" has no valid shape$/,
    ],
    ["an entry that is not an object", file({ a: 3 }, []), /"a" has type undefined/],
    [
      "metadata that is not text",
      file({ __metadata__: { a: 1 } }, []),
      /__metadata__ is not a record of strings/,
    ],
    [
      "one name twice",
      file(null, [1, 2], `{"a":${JSON.stringify(good)},"\\u0061":${JSON.stringify(good)}}`),
      /names "\\u0061" twice/,
    ],
    ["a wrong checksum", file({ __metadata__: { sha256: "0" }, a: good }, [1, 2]), /damaged/],
  ])("%s", (_name, bytes, message) => {
    expect(() => decodeTensors(bytes, "x.safetensors")).toThrow(UserError);
    expect(() => decodeTensors(bytes, "x.safetensors")).toThrow(message);
    expect(() => decodeTensors(bytes, "x.safetensors")).toThrow(
      /^x\.safetensors is not a sound safetensors file: /,
    );
  });
});
