/** Image files of every format that a folder of images may hold. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { decodeImages } from "../../../dist/data/decode.js";
import { mutateBytes } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";

const bitmaps = JSON.parse(readFileSync(new URL("../../golden/data/bitmaps.json", import.meta.url), "utf8"));

export async function prepare(folder) {
  const path = join(folder, "image.png");
  const pixels = Buffer.from(Array.from({ length: 8 * 6 * 4 }, (_, i) => (i * 37) & 255));
  const image = () => sharp(pixels, { raw: { width: 8, height: 6, channels: 4 } });
  const formats = ["png", "jpeg", "webp", "gif", "tiff", "avif"];
  const originals = await Promise.all(formats.map((format) => image().toFormat(format).toBuffer()));
  originals.push(
    await image().png({ palette: true }).toBuffer(),
    await image().jpeg({ progressive: true }).toBuffer(),
    ...bitmaps.map(({ file }) => Buffer.from(file, "base64")),
  );
  return {
    // The decoder goes by a file's contents, whatever its name.
    make: (random) => ({ "image.png": mutateBytes(random.pick(originals), random, originals) }),
    async check({ "image.png": bytes }) {
      writeFileSync(path, bytes);
      for (const shape of [
        [5, 4, 1],
        [3, 3, 3],
      ]) {
        const decoded = await outcomeOf(() => decodeImages([path], { shape }));
        must(
          decoded === undefined || decoded.length === shape[0] * shape[1] * shape[2],
          "an image of another size",
        );
      }
    },
  };
}
