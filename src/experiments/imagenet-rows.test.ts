/**
 * The 71 rows of ImageNet, at a small size: each is planned as the table says and its step compiles; some of each network are
 * trained and scored as `fewbit reproduce` does it. At full size, all of them: bench/imagenet-rows.mjs.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { fitted } from "../nn/index.js";
import { writeColour } from "../cli/pictures.test.fixture.js";
import { published } from "../published/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import { resolveNetwork, settingsOf } from "../training/config.js";
import { plannerOf } from "../training/plan.js";
import type { ReproduceOptions } from "./index.js";
import { reproduction, runStudy } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-rows-"));
const wnids = ["n01440764", "n01443537"];
beforeAll(async () => {
  vi.stubEnv("FEWBIT_CACHE", join(folder, "cache"));
  for (const set of ["train", "val"])
    for (const [i, wnid] of wnids.entries())
      await writeColour(join(folder, "photos", set, wnid, "1.png"), [200 * i, 90, 200], [80, 70]);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
// A step holds the thread for a second; the runner's messages get through between steps.
afterEach(() => new Promise((resolve) => setTimeout(resolve, 1)));

/** Pixels of a small image that each network takes. */
const sizes = { alexnet: 67, resnet18: 64, vgg16: 32 } as const;
const networks = Object.entries(sizes);
const rowsOf = (network: string, options: Partial<ReproduceOptions> = {}) =>
  reproduction({ table: `imagenet/${network}`, ...options });

test.each(networks)("each row of %s is planned as published, and its step compiles", (network, imageSize) => {
  const rows = published.filter(({ dataset, model }) => dataset === "ImageNet" && model === network);
  const full = rowsOf(network);
  expect(full.map(({ options }) => options)).toMatchObject(
    rows.map(({ method, weightBits, activationBits, batchSize, optimizer, learningRate }) => ({
      model: network,
      data: "imagenet",
      preset: "redbit",
      epochs: 100,
      decayEvery: 30,
      method,
      weightBits,
      activationBits,
      ...(batchSize === null ? {} : { batchSize }),
      ...(optimizer === null ? {} : { optimizer }),
      ...(learningRate === null ? {} : { learningRate }),
    })),
  );
  const { executor } = chooseExecutor();
  for (const { name, options } of rowsOf(network, { given: { imageSize, classes: 2 } })) {
    const { model: named, method } = resolveNetwork(options);
    const model = fitted(named, { input: named.input, classes: 2 });
    const { programs, bytes } = plannerOf({ ...settingsOf(options), model, method, executor })(2, 1);
    expect(programs[0].program.instructions.length, name).toBeGreaterThan(50);
    expect(bytes, name).toBeGreaterThan(0);
  }
});

test.each([
  ...["qnn", "dorefa", "xnor"].map((method) => ["resnet18", method, "1/1"]),
  ["resnet18", "ttq", "2/32"],
  ["alexnet", "xnor", "1/1"],
  ["vgg16", "dorefa", "2/2"],
])("%s is trained with %s %s, and scored", async (network, method, bits) => {
  const given = { imageSize: sizes[network as keyof typeof sizes], classes: 2 };
  const dataDir = join(folder, "photos");
  const runs = rowsOf(network, { method, bits, epochs: 1, dataDir, given });
  const outcomes = await runStudy(runs, { folder: join(folder, "runs"), threads: 2 });
  expect(outcomes).toMatchObject([{ state: "done", metrics: [{ step: 1, test: {} }] }]);
  expect(outcomes[0].metrics[0].test.top5).toBe(100);
  rmSync(join(folder, "runs"), { recursive: true });
});
