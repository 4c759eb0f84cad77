/** A run's directory: read, its weights loaded, its settings parsed, and the run resumed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { overStored, parse } from "../../../dist/cli/flags.js";
import { detailsOf } from "../../../dist/dashboard/details.js";
import { fitted } from "../../../dist/nn/index.js";
import { resolveNetwork } from "../../../dist/training/config.js";
import { loadRun, loadWeights } from "../../../dist/run-folder/run.js";
import { mutateBytes, mutateText } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";
import * as run from "./run-files.mjs";

export async function prepare(folder) {
  const path = join(folder, "run");
  await run.write(path);
  const originals = Object.fromEntries(
    readdirSync(path).map((name) => [name, readFileSync(join(path, name))]),
  );
  originals.lock = Buffer.from(`${process.pid} 123456`);
  originals.stop = Buffer.alloc(0);
  const all = Object.values(originals);
  return {
    make(random) {
      const files = { ...originals };
      if (random.chance(0.8)) delete files.lock;
      if (random.chance(0.8)) delete files.stop;
      for (let i = random.integer(1, random.chance(0.9) ? 1 : 3); i > 0; i--) {
        const name = random.pick(["config.json", "metrics.jsonl", ...Object.keys(originals)]);
        const change = name.endsWith(".safetensors") || /^(lock|stop)$/.test(name) ? mutateBytes : mutateText;
        if (random.chance(0.05)) delete files[name];
        else if (random.chance(0.03)) files[name] = null;
        else files[name] = change(originals[name], random, all);
      }
      return files;
    },
    async check(files) {
      rmSync(path, { recursive: true });
      mkdirSync(path);
      for (const [name, bytes] of Object.entries(files)) {
        // A folder where a file should be.
        if (bytes === null) mkdirSync(join(path, name));
        else writeFileSync(join(path, name), bytes);
      }
      const stored = await outcomeOf(() => loadRun(path));
      if (stored !== undefined) checkRun(stored);
      if (stored?.config.options !== undefined) {
        const flags = { values: {}, sourceOf: () => "a flag" };
        const parsed = await outcomeOf(() => parse(overStored(stored.config, "run", flags)));
        if (parsed !== undefined) {
          // As `eval` does, before there is memory for the network that the configuration says.
          await outcomeOf(() => {
            const { model, method } = resolveNetwork(parsed);
            loadWeights(path, "best", fitted(model, stored.config.model), method);
          });
        }
        await outcomeOf(() => detailsOf({ id: "run", directory: path }));
      }
      for (const which of ["best", "last"]) {
        await outcomeOf(() => loadWeights(path, which, run.model, run.method));
      }
      const directory = await outcomeOf(() => run.open(path, true));
      if (directory === undefined) return;
      const begun = await outcomeOf(async () => (await directory.begin(run.start), true));
      const isKept = () => readFileSync(join(path, "config.json")).equals(files["config.json"]);
      must(begun || isKept(), "a run that was refused after its configuration had been rewritten");
      if (begun) must(!existsSync(join(path, "stop")), "a wish to stop that stays");
      directory.close();
      must(!existsSync(join(path, "lock")), "a lock that stays");
    },
  };
}

const numbers = (record, ...keys) => keys.every((key) => typeof record?.[key] === "number");

function checkRun({ config, metrics, layers, confusion, summary }) {
  must(config.formatVersion === 1 && Number.isInteger(config.epochs), "a configuration without epochs");
  must(numbers(config, "batchSize", "seed", "validation", "threads"), "a configuration without numbers");
  must(
    Array.isArray(config.model?.input) && typeof config.method?.name === "string",
    "no network and method",
  );
  const { mean, std, classNames } = config.preparation ?? { mean: [0], std: [1] };
  must([...mean, ...std].every(Number.isFinite), "a mean or deviation that is no number");
  must(classNames === undefined || classNames.length === config.model.classes, "names of other classes");
  for (const line of metrics) {
    must(numbers(line, "epoch", "step", "seconds", "loss", "top1", "top5"), "a line without numbers");
    must(numbers(line, "learningRate", "trainLoss", "trainTop1"), "a line without the training's numbers");
    must(numbers(line.test, "loss", "top1", "top5"), "a line without test scores");
    must(line.split === "test" || line.split === "validation", "a line without its split");
  }
  for (const line of layers) {
    must(
      typeof line.layer === "string" && numbers(line, "epoch", "sparsity", "signFlips"),
      "a layer without numbers",
    );
    must(
      numbers(line.histogram, "lowest", "highest") && Array.isArray(line.histogram.counts),
      "no histogram",
    );
  }
  for (const { epoch, split, counts } of confusion) {
    must(Number.isInteger(epoch) && split === "test", "counts without their epoch");
    must(
      counts.every((row) => row.every((count) => Number.isInteger(count) && count >= 0)),
      "counts of less than nothing",
    );
  }
  must((summary === undefined) === (metrics.length === 0), "a summary without epochs, or the reverse");
}
