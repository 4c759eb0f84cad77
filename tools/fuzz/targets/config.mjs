/** Configuration files, as `fewbit train --config FILE` reads them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { given, parse, settingFlags, withSource } from "../../../dist/cli/flags.js";
import { resolveData, resolveNetwork, resolveOptimizer } from "../../../dist/training/config.js";
import { runKeys } from "../../../dist/training/settings.js";
import { mutateText } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";

const originals = [
  { model: "lenet5" },
  { model: "lenet5", method: "qnn", weightBits: 2, activationBits: 2, layers: { fc2: { weightBits: 8 } } },
  {
    model: "lenet5",
    method: "xnor",
    activationBits: 1,
    preset: "paper",
    reluAfterConvolution: true,
    inputScale: true,
  },
  { model: "lenet5", method: "dorefa", bits: "1/2", lastBatch: "drop", $schema: "schema/config.json" },
  { model: "lenet5", method: "ttq", preset: "redbit", seed: 3, mirrors: ["https://localhost/"] },
  { model: "lenet5", data: "images", dataDir: "pictures", imageSize: 32, channels: 3 },
  { model: "lenet5", method: "dorefa", weightBits: 1, activationBits: 2, gradientBits: 6, preset: "paper" },
  {
    model: "lenet5",
    data: "mnist",
    dataDir: "mnist",
    augment: false,
    validation: 100,
    optimizer: "sgd",
    learningRate: 0.01,
    momentum: 0.9,
    nesterov: true,
    weightDecay: 1e-4,
    decayEvery: 4,
    decayFactor: 0.1,
    epochs: 20,
    batchSize: 128,
    seed: 7,
    threads: 2,
    executor: "native",
    out: "runs/one",
  },
].map((config) => Buffer.from(JSON.stringify(config, null, 2)));

export function prepare(folder) {
  const path = join(folder, "config.json");
  return {
    make: (random) => ({ "config.json": mutateText(random.pick(originals), random, originals) }),
    async check({ "config.json": bytes }) {
      writeFileSync(path, bytes);
      const options = await outcomeOf(async () => {
        const command = settingFlags(new Command(), "training").option("--config <file>").exitOverride();
        command.parse(["--config", path, "--epochs", "2"], { from: "user" });
        const from = given(command);
        const parsed = await parse(from);
        withSource(from, () => resolveNetwork(parsed));
        withSource(from, () => resolveOptimizer(parsed));
        return parsed;
      });
      if (options === undefined) return;
      // Without a folder it would be the shipped digits, which are sound, or a download.
      if (options.dataDir !== undefined) await outcomeOf(() => resolveData(options, { input: [28, 28, 1] }));
      must(options.epochs === 2, "a flag that does not override the file");
      must(
        Object.keys(options).every((key) => runKeys.includes(key)),
        "a key that no configuration has",
      );
      must(Object.getPrototypeOf(options) === Object.prototype, "a prototype from the file");
      for (const key of ["weightBits", "activationBits", "gradientBits"]) {
        must([undefined, 1, 2, 3, 4, 5, 6, 7, 8, 32].includes(options[key]), `${key} of ${options[key]}`);
      }
      for (const key of ["learningRate", "momentum", "weightDecay", "decayFactor", "seed", "batchSize"]) {
        must(Number.isFinite(options[key]), `${key} of ${options[key]}`);
      }
    },
  };
}
