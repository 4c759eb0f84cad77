/** Trainings that start from the weights of other runs and files. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { datasets } from "../data/index.js";
import { UserError } from "../errors.js";
import { models } from "../models/index.js";
import { network } from "../nn/index.js";
import { adam } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, dorefa, qnn, ttq } from "../quantization/index.js";
import type { StoredTensor, Weights } from "../run-folder/index.js";
import { decodeTensors, encodeTensors, fileNames, loadWeights, readConfig } from "../run-folder/index.js";
import type { InitialReport } from "./initial-weights.js";
import { base, tiny } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-initial-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const float = at("float");
beforeAll(async () => {
  await train({ ...base, method: baseline(), epochs: 1, directory: float });
});

/** The weights before the first step, and what was said of them. */
async function begun(options: Partial<TrainOptions>): Promise<{ weights: Weights; report?: InitialReport }> {
  let report: InitialReport | undefined;
  const { lastWeights: weights } = await train({
    ...base,
    ...options,
    signal: AbortSignal.abort(),
    onInitialWeights: (told) => (report = told),
  });
  return { weights, report };
}

const source = (): Weights => loadWeights(float, "best", tiny, baseline()).weights;

describe("a training begins with the bits of its source", () => {
  test.each<[string, Method]>([
    ["1-bit weights", dorefa({ weightBits: 1, activationBits: 2 })],
    ["another method", qnn({ weightBits: 1, activationBits: 1 })],
  ])("%s", async (_, method) => {
    const { weights, report } = await begun({ method, initialWeights: float });
    expect(weights).toEqual(source());
    expect(report?.taken).toHaveLength(11);
    expect(report?.left).toEqual([]);
  });

  test("the weights of a run in memory and a file are the same source", async () => {
    const runs = [float, join(float, fileNames.best), join(float, fileNames.checkpoint), source()];
    const checksums = await Promise.all(
      runs.map(async (initialWeights, i) => {
        const { config } = await train({
          ...base,
          initialWeights,
          signal: AbortSignal.abort(),
          directory: at(`same${i}`),
        });
        return config.initialWeights?.checksum;
      }),
    );
    expect(new Set(checksums).size).toBe(1);
    expect(readConfig(at("same0")).initialWeights).toEqual({ checksum: checksums[0] });
  });
});

test("what is skipped is drawn, and what one method alone has is as it says", async () => {
  const method = ttq();
  const [{ weights, report }, drawn] = [
    await begun({ method, initialWeights: float, initSkip: ["fc*", "bn1.mean"] }),
    await begun({ method }),
  ];
  expect(weights.parameters["fc1.weight"]).toEqual(drawn.weights.parameters["fc1.weight"]);
  expect(weights.parameters["conv2.weight"]).toEqual(source().parameters["conv2.weight"]);
  expect([...weights.statistics["bn1.mean"].data]).toEqual([0, 0, 0, 0]);
  expect(weights.parameters["conv2.own.positive"].data[0]).toBe(1);
  expect(report?.left).toEqual([
    { name: "parameters/conv2.own.positive", reason: "only this method has it, starts as it says" },
    { name: "parameters/conv2.own.negative", reason: "only this method has it, starts as it says" },
    { name: "parameters/fc1.weight", reason: "skipped, starts as drawn" },
    { name: "statistics/bn1.mean", reason: "skipped, starts as drawn" },
  ]);
});

test("the scales of a source's method are left", async () => {
  const trained = await train({ ...base, method: ttq(), epochs: 1 });
  const { report } = await begun({ initialWeights: trained.weights });
  expect(report?.left.map(({ name }) => name)).toEqual([
    "parameters/conv2.own.positive",
    "parameters/conv2.own.negative",
  ]);
});

test("a run goes on without its source, and with no other", async () => {
  const [moved, unbroken] = [at("moved"), at("unbroken")];
  cpSync(float, moved, { recursive: true });
  const options = { ...base, epochs: 2, initialWeights: moved, initSkip: ["fc1"] };
  await train({ ...options, directory: unbroken });
  await train({ ...options, directory: at("broken"), signal: AbortSignal.abort() });
  rmSync(moved, { recursive: true });
  const resumed = { ...options, directory: at("broken"), resume: true };
  const refused = async (other: Partial<TrainOptions>) => {
    await expect(train({ ...resumed, ...other })).rejects.toThrow(/was started with initialWeights/);
  };
  await refused({ initialWeights: undefined, initSkip: undefined });
  await refused({ initSkip: undefined });
  await refused({ initialWeights: loadWeights(unbroken, "best", tiny, base.method).weights });
  await train(resumed);
  for (const name of ["checkpoint", "best", "layers"] as const) {
    const [a, b] = [at("broken"), unbroken].map((run) => readFileSync(join(run, fileNames[name])));
    expect(a.equals(b)).toBe(true);
  }
});

const wide = network("wide", { input: [6, 6, 1], classes: 4 }, (net, x) => {
  const y = net.batchNorm("bn1", net.convolution("conv1", x, { channels: 6, kernel: 3 }));
  return net.linear("fc1", net.flatten(net.nonlinearity(y)), { features: 4 });
});

describe("files", () => {
  const stored = () => decodeTensors(readFileSync(join(float, fileNames.best)), "best").tensors;
  const write = (name: string, tensors: Readonly<Record<string, StoredTensor>>): string => {
    writeFileSync(at(name), encodeTensors({ tensors, metadata: {} }));
    return at(name);
  };

  test("have elements of any type", async () => {
    const tensors = Object.entries(stored());
    const whole = tensors.map(([name, { data, shape }]) => {
      const bits = Array.from(data as Float32Array, (x) => Math.round(8 * x));
      const array = name.endsWith("weight")
        ? Int8Array.from(bits)
        : name.startsWith("statistics")
          ? Float64Array.from(bits)
          : BigInt64Array.from(bits, BigInt);
      return [name, { data: array, shape }] as const;
    });
    const { weights } = await begun({
      initialWeights: write("whole.safetensors", Object.fromEntries(whole)),
    });
    for (const [name, { data }] of whole) {
      const [kind, key] = name.split("/") as ["parameters" | "statistics", string];
      expect([...weights[kind][key].data]).toEqual(Array.from(data, Number));
    }
  });

  test("that do not fit are refused by name", async () => {
    const { "parameters/conv2.weight": _, ...others } = stored();
    const strange = { data: Float32Array.of(1), shape: [1] };
    const cases: [Partial<TrainOptions>, RegExp][] = [
      [
        { initialWeights: write("less.safetensors", others) },
        /parameters\/conv2.weight \[3, 3, 4, 5\] gets nothing; leave out/,
      ],
      [
        { initialWeights: write("more.safetensors", { ...stored(), strange }) },
        /: strange \[1\] has no place; leave out/,
      ],
      [
        { initialWeights: float, model: wide },
        /conv1.weight is \[3, 3, 1, 4\] there and \[3, 3, 1, 6\] here; /,
      ],
      [
        { initialWeights: float, initSkip: ["fc9"] },
        /initSkip has "fc9", .* they have conv1, bn1, conv2, bn2, fc1$/,
      ],
      [
        { initialWeights: write("nan.safetensors", { nan: { data: Float64Array.of(1e300), shape: [] } }) },
        /infinite in f32 in "nan"/,
      ],
      [{ initialWeights: at("nowhere") }, /nowhere does not exist/],
      [{ initialWeights: folder }, /holds no run/],
      [{ initSkip: ["fc1"] }, /initSkip has no effect without initialWeights/],
    ];
    for (const [options, message] of cases) {
      const error: unknown = await train({ ...base, ...options, directory: at("refused") }).catch(
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(UserError);
      expect((error as Error).message).toMatch(message);
      expect(() => readConfig(at("refused"))).toThrow("holds no run");
    }
  });

  test("that are damaged are refused", async () => {
    const bytes = readFileSync(join(float, fileNames.best));
    writeFileSync(at("short.safetensors"), bytes.subarray(0, 300));
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(at("changed.safetensors"), bytes);
    await expect(begun({ initialWeights: at("short.safetensors") })).rejects.toThrow(
      /not a sound safetensors file/,
    );
    await expect(begun({ initialWeights: at("changed.safetensors") })).rejects.toThrow(/was damaged after/);
  });

  test.each(["pt", "pth", "bin"])(
    "that are pickles are refused with what converts them: .%s",
    async (ending) => {
      const path = at(`net.${ending}`);
      writeFileSync(path, "any");
      const error: Error = await begun({ initialWeights: path }).then(
        () => Error("accepted"),
        (e: Error) => e,
      );
      const lines = error.message.split("\n");
      expect(lines).toHaveLength(3);
      expect(lines[2]).toContain(`torch.load("${path}"`);
      expect(lines[2]).toContain(`"net.safetensors"`);
    },
  );
});

test("LeNet-5 at 1/2 learns more in an epoch from float weights than from drawn ones", async () => {
  const all = await datasets.digits();
  const options = {
    model: models.lenet5,
    data: { ...all, train: firstOf(all.train, 3000) },
    optimizer: adam({ learningRate: 0.002 }),
    epochs: 1,
    batchSize: 64,
  };
  const method = dorefa({ weightBits: 1, activationBits: 2 });
  const { weights } = await train({ ...options, method: baseline() });
  const [continued, scratch] = [
    await train({ ...options, method, initialWeights: weights }),
    await train({ ...options, method }),
  ];
  expect(continued.best.top1).toBeGreaterThan(scratch.best.top1 + 1);
});

function firstOf<T extends { readonly count: number }>(set: T, count: number): T {
  const { images, labels } = set as unknown as { images: Uint8Array; labels: Uint8Array };
  const size = images.length / set.count;
  return { ...set, count, images: images.subarray(0, count * size), labels: labels.subarray(0, count) };
}
