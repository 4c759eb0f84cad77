/** Training on image files that are decoded when a batch needs them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { images } from "../data/images.js";
import { writeShards } from "../data/shard-writer.js";
import { UserError } from "../errors.js";
import { loadRun } from "../run-folder/index.js";
import { base, writePictures } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-streamed-"));
afterAll(() => rmSync(folder, { recursive: true }));

const pictures = join(folder, "pictures");
const picture = (set: string, name: string, i: number) => join(pictures, set, name, `${i}.pgm`);
beforeAll(() => writePictures(pictures));

const load = (memory: number) => images({ directory: pictures, shape: [6, 6, 1], memory });
const checkpointOf = (directory: string) => readFileSync(join(directory, "checkpoint.safetensors"));

test("gives the bits that training on images in memory gives, resumed from either", async () => {
  const [kept, streamed] = [join(folder, "kept"), join(folder, "streamed")];
  await train({ ...base, data: await load(Infinity), validation: 10, directory: kept });
  await train({ ...base, data: await load(0), validation: 10, epochs: 1, directory: streamed });
  await train({
    ...base,
    data: await load(Infinity),
    validation: 10,
    epochs: 2,
    directory: streamed,
    resume: true,
  });
  await train({ ...base, data: await load(0), validation: 10, directory: streamed, resume: true });
  expect(checkpointOf(streamed).equals(checkpointOf(kept))).toBe(true);
  expect(loadRun(streamed).confusion).toEqual(loadRun(kept).confusion);
});

test("gives the same bits from shards of the files, and goes on with either", async () => {
  const [whole, directory, out] = [
    join(folder, "files"),
    join(folder, "from-shards"),
    join(folder, "shards"),
  ];
  await writeShards({ directory: pictures, out });
  const ofShards = () => images({ directory: out, shape: [6, 6, 1], memory: 0 });
  await train({ ...base, data: await load(0), epochs: 2, directory: whole });
  await train({ ...base, data: await ofShards(), epochs: 1, directory });
  expect(loadRun(directory).metrics).toMatchObject([{ trainLoss: loadRun(whole).metrics[0].trainLoss }]);
  await train({ ...base, data: await load(0), epochs: 2, directory, resume: true });
  expect(checkpointOf(directory).equals(checkpointOf(whole))).toBe(true);
});

test("a file that is spoilt meanwhile ends it with its name, and the run can go on when it is there again", async () => {
  const [whole, directory] = [join(folder, "whole"), join(folder, "broken")];
  await train({ ...base, data: await load(0), directory: whole });
  const path = picture("train", "b", 4);
  const bytes = readFileSync(path);
  const training = train({
    ...base,
    data: await load(0),
    directory,
    onProgress: ({ epoch, phase }) => epoch === 2 && phase === "train" && writeFileSync(path, "no image"),
  });
  await expect(training).rejects.toThrow(UserError);
  await expect(training).rejects.toThrow(`${path} cannot be read as an image: its format is unknown; `);
  writeFileSync(path, bytes);
  expect(loadRun(directory).metrics.length).toBeGreaterThan(0);
  await train({ ...base, data: await load(0), directory, resume: true });
  expect(checkpointOf(directory).equals(checkpointOf(whole))).toBe(true);
});
