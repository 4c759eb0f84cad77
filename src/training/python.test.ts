/**
 * What Python reads of a run: the tensorboard and safetensors packages, and the example of docs/runs.md.
 * FEWBIT_PYTHON names a Python that has what tools/readers/requirements.txt lists.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoredRun } from "../run-folder/index.js";
import { decodeTensors, loadRun } from "../run-folder/index.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

interface Events {
  readonly fileVersion: number;
  readonly scalars: Readonly<
    Record<string, readonly (readonly [step: number, value: number, time: number])[]>
  >;
  readonly histograms: Readonly<
    Record<
      string,
      readonly {
        readonly step: number;
        readonly lowest: number;
        readonly highest: number;
        readonly weights: number;
        readonly limits: readonly number[];
        readonly counts: readonly number[];
      }[]
    >
  >;
  readonly texts: Readonly<Record<string, readonly string[]>>;
}

interface Tensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<
    Record<string, { readonly type: string; readonly shape: number[]; readonly values: number[] }>
  >;
}

const { FEWBIT_PYTHON: python = "" } = process.env;
describe.skipIf(python === "")("Python", () => {
  let parent: string;
  let directory: string;
  const run = (...args: string[]) => execFileSync(python, args, { encoding: "utf8", cwd: parent });
  const events = (folder: string) => JSON.parse(run(path("tools/readers/events.py"), folder)) as Events;
  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), "fewbit-python-"));
    directory = join(parent, "run");
    // Trained in two parts, of which the second knows of the event file.
    await train({ ...base, validation: 20, epochs: 2, directory });
    await train({ ...base, validation: 20, epochs: 3, directory, resume: true, log: ["tensorboard"] });
  });
  afterAll(() => rmSync(parent, { recursive: true }));

  test("the golden files of the safetensors package are what its script writes", () => {
    run(path("tools/golden/state_dict.py"), parent);
    for (const name of ["state-dict.safetensors", "state-dict.json", "float8.safetensors"]) {
      const written = readFileSync(join(parent, name));
      expect(written.equals(readFileSync(path(`tools/golden/data/${name}`))), name).toBe(true);
    }
  });

  test("TensorBoard finds every score, rate and layer of every epoch, with the epoch as step", () => {
    const { fileVersion, scalars, histograms, texts } = events(directory);
    const stored = loadRun(directory);
    expect(fileVersion).toBe(2);
    const expected = seriesOf(stored);
    expect(Object.keys(scalars).sort()).toEqual(Object.keys(expected).sort());
    for (const [tag, values] of Object.entries(expected)) {
      expect(
        scalars[tag].map(([step, value]) => [step, value]),
        tag,
      ).toEqual(values.map(([epoch, value]) => [epoch, Math.fround(value)]));
    }
    // An epoch's end comes its seconds after the one before.
    const times = scalars["train/loss"].map(([, , time]) => time);
    for (const i of [1, 2]) expect(times[i] - times[i - 1]).toBeCloseTo(stored.metrics[i].seconds, 3);

    expect(Object.keys(histograms).sort()).toEqual(["weights/conv1", "weights/conv2", "weights/fc1"]);
    for (const { epoch, layer, histogram } of stored.layers) {
      const found = histograms[`weights/${layer}`][epoch - 1];
      const { step, lowest, highest, weights, limits, counts } = found;
      expect({ step, lowest, highest, counts }).toEqual({ step: epoch, ...histogram });
      expect(weights).toBe({ conv1: 36, conv2: 180, fc1: 80 }[layer]);
      expect(limits).toHaveLength(32);
      expect(limits[31]).toBeCloseTo(highest, 12);
    }
    expect(JSON.parse(texts.configuration[0])).toMatchObject({
      model: { name: "tiny" },
      method: { name: "dorefa", options: { weightBits: 1 } },
      seed: 5,
    });
  });

  test("TensorBoard finds one series in a run that was interrupted and lost the file's end", async () => {
    const folder = join(parent, "broken");
    const stop = new AbortController();
    await train({
      ...base,
      directory: folder,
      log: ["tensorboard"],
      signal: stop.signal,
      onProgress: ({ phase, epoch, step }) => {
        if (phase === "train" && epoch === 2 && step === 3) stop.abort();
      },
    });
    expect(events(folder).scalars["test/top1"].map(([step]) => step)).toEqual([1]);
    await train({ ...base, directory: folder, log: ["tensorboard"], resume: true });
    const { scalars } = events(folder);
    expect(scalars["test/top1"].map(([step]) => step)).toEqual([1, 2, 3]);
    expect(Object.keys(scalars)).not.toContain("validation/top1");
  });

  test.each(["checkpoint.safetensors", "best.safetensors"])(
    "safetensors opens %s with our names, types, shapes, values and metadata",
    (name) => {
      const file = join(directory, name);
      const { tensors, metadata } = JSON.parse(run(path("tools/readers/tensors.py"), file)) as Tensors;
      const ours = decodeTensors(readFileSync(file), file);
      expect(Object.keys(tensors).sort()).toEqual(Object.keys(ours.tensors).sort());
      for (const [tensor, { data, shape }] of Object.entries(ours.tensors)) {
        const type = data instanceof Uint8Array ? "uint8" : "float32";
        expect(tensors[tensor], tensor).toEqual({ type, shape, values: [...data] });
      }
      const { sha256, ...rest } = metadata;
      expect(rest).toEqual(ours.metadata);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(tensors["parameters/conv2.weight"].shape).toEqual([3, 3, 4, 5]);
      expect(tensors["parameters/fc1.weight"].shape).toEqual([20, 4]);
    },
  );

  test("the document's example prints epochs and weights", () => {
    const document = readFileSync(path("docs/runs.md"), "utf8");
    const example = /```python\n([^]*?)```/.exec(document)?.[1] ?? "";
    const lines = run("-c", example.replace('"runs/first-digits"', JSON.stringify(directory))).split("\n");
    const { metrics } = loadRun(directory);
    expect(lines.slice(0, 3)).toEqual(
      metrics.map(
        ({ epoch, trainLoss, test: { top1 } }) =>
          expect.stringMatching(`^${epoch} ${trainLoss} ${top1}`) as string,
      ),
    );
    expect(lines).toContain("parameters/conv1.weight (3, 3, 1, 4)");
  });
});

/** [epoch, value] of each tag, from the lines alone. */
function seriesOf({ metrics, layers }: StoredRun): Record<string, [number, number][]> {
  const series: Record<string, [number, number][]> = {};
  const add = (tag: string, epoch: number, value: number) => (series[tag] ??= []).push([epoch, value]);
  for (const line of metrics) {
    const { epoch, test: held } = line;
    add("train/loss", epoch, line.trainLoss);
    add("train/top1", epoch, line.trainTop1);
    for (const key of ["loss", "top1", "top5"] as const) {
      add(`validation/${key}`, epoch, line[key]);
      add(`test/${key}`, epoch, held[key]);
    }
    add("learning_rate", epoch, line.learningRate);
    add("seconds", epoch, line.seconds);
  }
  for (const { epoch, layer, levels, sparsity, signFlips } of layers) {
    if (levels !== null) add(`levels/${layer}`, epoch, levels);
    add(`sparsity/${layer}`, epoch, sparsity);
    add(`sign_flips/${layer}`, epoch, signFlips);
  }
  return series;
}
