/**
 * Prepares a folder's photographs as a training does, from their files to normalised values: the shorter side to 256 pixels, a
 * crop of 224, mirrored in half of the draws; or, with `--crop resized`, random resized crops. One image at a time.
 * Prints one JSON object with the processor time and the time per image.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { placementOf, resizedCropOf } from "../../dist/data/augment.js";
import { photoSource } from "../../dist/data/photos.js";
import { decodeRules } from "../../dist/data/rules.js";
import { philox } from "../../dist/random/philox.js";

const { values } = parseArgs({
  options: {
    folder: { type: "string" },
    crop: { type: "string", default: "frame" },
    repeats: { type: "string", default: "5" },
  },
});
const paths = readdirSync(values.folder, { recursive: true })
  .map((name) => join(values.folder, name))
  .filter((path) => /\.jpe?g$/i.test(path))
  .sort();
const files = {
  count: paths.length,
  sizes: paths.map((path) => statSync(path).size),
  name: (index) => paths[index],
  image: (index) => ({ path: paths[index] }),
};
const indices = Uint32Array.from(paths, (_, i) => i);
const shape = [224, 224, 3];
const source = photoSource(
  { files, indices, labels: new Int32Array(paths.length) },
  {
    shape,
    rules: { ...decodeRules, frame: "covered" },
    crops: values.crop === "resized" ? "photographs" : "frames",
    imageThreads: 1,
  },
);

const words = new Uint32Array(4);
const drawn = (image, draw, epoch) => {
  philox([image, draw, epoch, 0], [1, 2], words);
  return words;
};
const usual = { resizedCrop: { area: [0.08, 1], ratio: [3 / 4, 4 / 3] }, flip: true };
const placer = (epoch) =>
  values.crop === "resized"
    ? (i, size) => resizedCropOf(usual, (draw) => drawn(i, draw, epoch), size)
    : (i, size) => placementOf({ flip: true }, drawn(i, 0, epoch), shape, size);

const out = {
  images: new Float32Array(paths.length * 224 * 224 * 3),
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
await source.fill(indices, placer(0), out); // files are in the system's cache then, and functions compiled
const repeats = Number(values.repeats);
const [began, before] = [performance.now(), process.cpuUsage()];
for (let epoch = 1; epoch <= repeats; epoch++) await source.fill(indices, placer(epoch), out);
const { user, system } = process.cpuUsage(before);
const images = repeats * paths.length;
console.log(
  JSON.stringify({
    medianMs: (user + system) / 1000 / images,
    wallMs: (performance.now() - began) / images,
    images: paths.length,
  }),
);
