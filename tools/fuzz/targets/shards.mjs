/** WebDataset shards, with the index and the names of classes beside them. */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { images } from "../../../dist/data/images.js";
import { imagenet } from "../../../dist/data/imagenet.js";
import { writeShards } from "../../../dist/data/shard-writer.js";
import { UserError } from "../../../dist/errors.js";
import { mutateBytes, mutateText } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";

const golden = (name) =>
  gunzipSync(readFileSync(new URL(`../../golden/data/${name}.tar.gz`, import.meta.url)));

/** Shards as fewbit writes them, with all that is beside them. */
async function written(folder) {
  const source = join(folder, "source");
  for (const [i, name] of ["train/a", "train/b", "val/a", "val/b"].entries()) {
    mkdirSync(join(source, name), { recursive: true });
    const colour = { r: 40 * i, g: 90, b: 200 };
    const picture = sharp({ create: { width: 6, height: 5, channels: 3, background: colour } });
    for (const file of ["1.png", "2.png"]) await picture.png().toFile(join(source, name, file));
  }
  const out = join(folder, "shards");
  await writeShards({ directory: source, out });
  return Object.fromEntries(readdirSync(out).map((name) => [name, readFileSync(join(out, name))]));
}

/** A header whose sum is right, somewhere in an archive. */
function mendSum(bytes, random) {
  if (bytes.length < 512) return bytes;
  const at = 512 * random.integer(0, Math.floor(bytes.length / 512) - 1);
  const header = bytes.subarray(at, at + 512);
  header.fill(" ", 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return bytes;
}

/** An index with the checksum that it should have. */
function mendIndex(bytes) {
  const body = bytes.subarray(0, Math.max(0, bytes.length - 32));
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

/** Several images that cannot be read have a line each. */
function inOneLine(error) {
  throw error instanceof UserError ? new UserError(error.message.replaceAll("\n  ", "; ")) : error;
}

export async function prepare(folder) {
  process.env.FEWBIT_CACHE = join(folder, "cache");
  const place = join(folder, "data");
  const ours = await written(folder);
  const others = { "train-0.tar": golden("webdataset-train"), "val-0.tar": golden("gnu-val") };
  const all = [...Object.values(ours), ...Object.values(others)];
  return {
    make(random) {
      const files = { ...random.pick([ours, others]) };
      const name = random.pick(Object.keys(files));
      const change = name.endsWith(".txt") || name.endsWith(".json") ? mutateText : mutateBytes;
      files[name] = Buffer.from(change(files[name], random, all));
      if (name.endsWith(".tar") && random.chance(0.6)) files[name] = mendSum(files[name], random);
      if (name.endsWith(".index") && random.chance(0.8)) files[name] = mendIndex(files[name]);
      return files;
    },
    async check(files) {
      for (const path of [place, process.env.FEWBIT_CACHE]) rmSync(path, { recursive: true, force: true });
      mkdirSync(place);
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(place, name), bytes);
      const shape = [4, 4, 3];
      for (const load of [images, imagenet]) {
        const data = await outcomeOf(() => load({ directory: place, shape }).catch(inOneLine));
        if (data === undefined) continue;
        for (const { labels, count } of [data.train, data.test]) {
          must(labels.length === count, "labels of another number");
          must(
            labels.every((label) => label >= 0 && label < data.classes),
            "a label that is no class",
          );
        }
        must(data.classNames.length === data.classes, "names of another number");
      }
    },
  };
}
