/**
 * Makes data/digits/: 10,000 training and 2,000 test images of MNIST, as gzipped IDX files.
 *
 *   node scripts/make-digits.mjs --data-dir DIR      DIR holds MNIST's four IDX files, gzip or not
 *
 * Each class keeps its share of the original set (largest remainders). Within a class the images
 * whose SHA-256 of "fewbit digits 1/<train|test>/<index>" is smallest are taken, in the original
 * order. So the choice depends on nothing but the original files and this text.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";

const imageHeader = 16;
const labelHeader = 8;
const imageBytes = 28 * 28;

function read(directory, name) {
  const path = [join(directory, name), join(directory, `${name}.gz`)].find(existsSync);
  if (!path) throw new Error(`${name} or ${name}.gz is not in ${directory}`);
  const bytes = readFileSync(path);
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}

/** How many images of each class to take: its share of `count`, rounded by largest remainder. */
function quotas(labels, count) {
  const sizes = new Array(10).fill(0);
  for (const label of labels) sizes[label]++;
  const shares = sizes.map((size) => (size * count) / labels.length);
  const result = shares.map(Math.floor);
  const byRemainder = shares
    .map((share, k) => [share - result[k], k])
    .sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const missing = count - result.reduce((a, b) => a + b, 0);
  for (const [, k] of byRemainder.slice(0, missing)) result[k]++;
  return result;
}

function choose(labels, count, split) {
  const digest = (index) => createHash("sha256").update(`fewbit digits 1/${split}/${index}`).digest("hex");
  const byDigest = Array.from(labels, (label, index) => ({ label, index, key: digest(index) }));
  byDigest.sort((a, b) => (a.key < b.key ? -1 : 1));
  const left = quotas(labels, count);
  const chosen = byDigest.filter(({ label }) => left[label]-- > 0);
  return chosen.map(({ index }) => index).sort((a, b) => a - b);
}

function write(path, bytes) {
  const packed = gzipSync(bytes, { level: 9 });
  packed[9] = 255; // the header's "operating system: unknown", so that all systems write the same bytes
  writeFileSync(path, packed);
  const digest = createHash("sha256").update(bytes).digest("hex");
  console.log(`${path.padEnd(34)} ${String(packed.length).padStart(9)} bytes, unpacked sha256 ${digest}`);
}

function makeSplit(source, target, split, prefix, count) {
  const images = read(source, `${prefix}-images-idx3-ubyte`);
  const labels = read(source, `${prefix}-labels-idx1-ubyte`).subarray(labelHeader);
  if (images.length !== imageHeader + labels.length * imageBytes) {
    throw new Error(`${prefix}: images and labels do not match`);
  }
  const chosen = choose(labels, count, split);

  const outImages = Buffer.alloc(imageHeader + count * imageBytes);
  [0x803, count, 28, 28].forEach((word, i) => outImages.writeUInt32BE(word, 4 * i));
  const outLabels = Buffer.alloc(labelHeader + count);
  [0x801, count].forEach((word, i) => outLabels.writeUInt32BE(word, 4 * i));
  chosen.forEach((index, i) => {
    const start = imageHeader + index * imageBytes;
    images.copy(outImages, imageHeader + i * imageBytes, start, start + imageBytes);
    outLabels[labelHeader + i] = labels[index];
  });
  write(join(target, `${split}-images.idx3.gz`), outImages);
  write(join(target, `${split}-labels.idx1.gz`), outLabels);
}

const { values } = parseArgs({ options: { "data-dir": { type: "string" } } });
if (!values["data-dir"]) {
  console.error("usage: node scripts/make-digits.mjs --data-dir DIR");
  process.exit(2);
}
const target = join(fileURLToPath(new URL("..", import.meta.url)), "data", "digits");
mkdirSync(target, { recursive: true });
makeSplit(values["data-dir"], target, "train", "train", 10_000);
makeSplit(values["data-dir"], target, "test", "t10k", 2_000);
