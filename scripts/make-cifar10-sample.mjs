/**
 * Makes data/cifar10-sample/: 1,600 training and 400 test images of CIFAR-10, as two lossless pictures.
 *
 *   node scripts/make-cifar10-sample.mjs --data-dir DIR      DIR as for --data cifar10
 *
 * Of each class the 160 and 40 images are taken whose SHA-256 of "fewbit cifar10-sample 1/<train|test>/<index>"
 * is smallest, in the original order; index counts the images of the five training batches, or of the
 * test batch. Each picture has 40 images a row, class after class. Reads `dist/`.
 */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { datasets } from "../dist/data/index.js";

const side = 32;
const columns = 40;
const classes = 10;
const imageBytes = side * side * 3;

function choose({ labels }, each, split) {
  const digest = (index) =>
    createHash("sha256").update(`fewbit cifar10-sample 1/${split}/${index}`).digest("hex");
  const byDigest = Array.from(labels, (label, index) => ({ label, index, key: digest(index) }));
  byDigest.sort((a, b) => (a.key < b.key ? -1 : 1));
  return Array.from({ length: classes }, (_, k) => byDigest.filter(({ label }) => label === k))
    .flatMap((ofClass) => ofClass.slice(0, each).sort((a, b) => a.index - b.index))
    .map(({ index }) => index);
}

async function make(set, split, each) {
  const chosen = choose(set, each, split);
  const width = columns * side;
  const height = (chosen.length / columns) * side;
  const picture = Buffer.alloc(width * height * 3);
  const hash = createHash("sha256");
  chosen.forEach((index, i) => {
    const image = set.images.subarray(index * imageBytes, (index + 1) * imageBytes);
    hash.update(image);
    const corner = Math.floor(i / columns) * side * width + (i % columns) * side;
    for (let y = 0; y < side; y++) {
      picture.set(image.subarray(y * side * 3, (y + 1) * side * 3), (corner + y * width) * 3);
    }
  });
  const path = join(target, `${split}.webp`);
  const { size } = await sharp(picture, { raw: { width, height, channels: 3 } })
    .webp({ lossless: true, quality: 100, effort: 6 })
    .toFile(path);
  console.log(`${path}  ${size} bytes, ${chosen.length} images with SHA-256 ${hash.digest("hex")}`);
}

const { values } = parseArgs({ options: { "data-dir": { type: "string" } } });
if (!values["data-dir"]) {
  console.error("usage: node scripts/make-cifar10-sample.mjs --data-dir DIR");
  process.exit(2);
}
const target = join(fileURLToPath(new URL("..", import.meta.url)), "data", "cifar10-sample");
mkdirSync(target, { recursive: true });
const { train, test } = await datasets.cifar10({ directory: values["data-dir"] });
await make(train, "train", 160);
await make(test, "test", 40);
