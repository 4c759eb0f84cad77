/** The IDX reader: its two parsers, and the four files of a data set, packed or not. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { parseImages, parseLabels } from "../../../dist/data/idx.js";
import { mnist } from "../../../dist/data/mnist.js";
import { mutateBytes } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";

const names = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];

function idx(extents, content) {
  const header = Buffer.alloc(4 + 4 * extents.length);
  [0x800 + extents.length, ...extents].forEach((word, i) => header.writeUInt32BE(word, 4 * i));
  return Buffer.concat([header, content]);
}
const images = (count, side) => idx([count, side, side], Buffer.alloc(count * side * side, 7));
const labels = (count) => idx([count], Buffer.from(Array.from({ length: count }, (_, i) => i % 10)));

const small = [images(2, 2), labels(2), images(1, 1), labels(0)];
const whole = [images(3, 28), labels(3), images(2, 28), labels(2)];
/** Unpacks to a thousand times its size. */
const zeros = gzipSync(Buffer.alloc(2 ** 23));

export function prepare(folder) {
  return {
    make(random) {
      const files = Object.fromEntries(names.map((name, i) => [name, whole[i]]));
      const name = random.pick(names);
      const original = random.chance(0.5) ? whole[names.indexOf(name)] : random.pick(small);
      const others = [...small, ...whole, zeros];
      const damaged = random.chance(0.5) ? mutateBytes(original, random, others) : original;
      const packed = random.chance(0.5) ? gzipSync(damaged) : damaged;
      return { ...files, [name]: random.chance(0.3) ? mutateBytes(packed, random, [zeros]) : packed };
    },
    async check(files) {
      for (const bytes of Object.values(files)) {
        await outcomeOf(() => checkImages(parseImages(bytes, "images"), bytes));
        await outcomeOf(() => checkLabels(parseLabels(bytes, "labels", 10), bytes));
      }
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
      const data = await outcomeOf(() => mnist({ directory: folder }));
      if (data === undefined) return;
      const [trainImages, trainLabels, testImages, testLabels] = names.map((name) => {
        const bytes = files[name];
        return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
      });
      for (const [set, packed, told] of [
        [data.train, trainImages, trainLabels],
        [data.test, testImages, testLabels],
      ]) {
        must(packed.subarray(16).equals(set.images), "images that are not the file's");
        must(told.subarray(8).equals(set.labels), "labels that are not the file's");
        must(set.images.length === 784 * set.count && set.labels.length === set.count, "sizes that differ");
      }
    },
  };
}

function checkImages({ data, count, height, width }, bytes) {
  must(data.length === bytes.length - 16, "images of another length than the file's");
  must(data.length === count * height * width && data.length > 0, "images of other sizes than they say");
}

function checkLabels(labels, bytes) {
  must(labels.length === bytes.length - 8, "labels of another length than the file's");
  must(
    labels.every((label) => label < 10),
    "a label of 10 or more",
  );
}
