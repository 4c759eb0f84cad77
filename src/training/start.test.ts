/** What latent weights start from and how long their steps are; and a warning where a start leads nowhere. */
import { describe, expect, test } from "vitest";
import { datasets } from "../data/index.js";
import { models } from "../models/index.js";
import { describe as describeNetwork, initialise, network } from "../nn/index.js";
import { adam, sgd } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { createMethod, dorefa, qnn, withLayers, xnor } from "../quantization/index.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const convolution = {
  name: "conv2",
  kind: "convolution",
  index: 1,
  count: 5,
  shape: [5, 5, 20, 50],
} as const;
const linear = { name: "fc1", kind: "linear", index: 2, count: 5, shape: [800, 500] } as const;

describe("QNN's latent weights", () => {
  /** The largest initial weight of each layer of a network. */
  const largest = (model: typeof models.lenet5, method: Method) => {
    const weights = initialise(describeNetwork(model, method).parameters, 7);
    return Object.entries(weights)
      .filter(([name]) => name.endsWith(".weight"))
      .map(([, { data }]) => Array.from(data).reduce((most, w) => Math.max(most, Math.abs(w)), 0));
  };

  test.each([models.lenet5, models.resnet20])("fill [-1, 1] at the start: $name", (model) => {
    for (const method of [
      qnn({ weightBits: 2, activationBits: 2 }),
      qnn({ weightBits: 1, activationBits: 32 }),
    ]) {
      for (const value of largest(model, method)) {
        expect(value).toBeGreaterThan(0.95);
        expect(value).toBeLessThanOrEqual(1);
      }
    }
  });

  test("start as others' do without a quantizer, and in redbit", () => {
    const plain = largest(models.lenet5, createMethod("baseline"));
    expect(largest(models.lenet5, qnn({ weightBits: 32, activationBits: 32 }))).toEqual(plain);
    expect(largest(models.lenet5, qnn({ weightBits: 2, activationBits: 2, preset: "redbit" }))).toEqual(
      plain,
    );
  });

  test("start so in the layers that are quantized alone", () => {
    const create = ({ weightBits = 32, activationBits = 32 }) => qnn({ weightBits, activationBits });
    const method = withLayers(create({}), { fc1: { weightBits: 3 } }, create);
    const [conv1, , fc1] = largest(models.lenet5, method);
    expect(conv1).toBeLessThanOrEqual(1 / 5);
    expect(fc1).toBeGreaterThan(0.95);
  });

  test("take steps longer by the inverse of Glorot's bound √(1.5/(fanIn + fanOut))", () => {
    const { stepFactor } = qnn({ weightBits: 2, activationBits: 2 });
    // 25·20 inputs and 25·50 outputs of a weight; 800 and 500.
    expect(stepFactor!(convolution)).toBeCloseTo(34.1565, 4);
    expect(stepFactor!(linear)).toBeCloseTo(29.4392, 4);
    expect(qnn({ weightBits: 2, activationBits: 2, preset: "redbit" }).stepFactor).toBeUndefined();
  });
});

test("gradients of XNOR-Net's weights have the factor N but with Adam, in redbit within the quantizer", () => {
  const factors = [sgd({ learningRate: 1 }), adam({ learningRate: 1 })].map(
    ({ name, invariantToScale = false }) =>
      [convolution, linear].map((layer) => xnor().gradientFactor!(layer, name, invariantToScale)),
  );
  expect(factors).toEqual([
    [500, 800],
    [1, 1],
  ]);
  expect(xnor({ preset: "redbit" }).gradientFactor).toBeUndefined();
});

describe("layers whose quantized weights are all one value at the start", () => {
  const warningsOf = async (method: Method): Promise<string[]> => {
    const warnings: string[] = [];
    await train({ ...base, method, epochs: 1, onWarning: (message) => warnings.push(message) });
    return warnings;
  };

  test("are named in one warning", async () => {
    // conv2 and fc1 start in U(±1/6) and U(±1/√20), where round(2w) is 0; conv1 in U(±1/3).
    const narrow = { ...qnn({ weightBits: 2, activationBits: 32 }), initialBound: undefined };
    expect(await warningsOf(narrow)).toEqual([
      "the quantized weights are all one value at the start in conv2, fc1, so nothing may be learned there; " +
        "take more bits, another preset, or wider initial weights",
    ]);
  });

  test.each([
    qnn({ weightBits: 2, activationBits: 32 }),
    dorefa({ weightBits: 1, activationBits: 32 }),
    createMethod("baseline"),
  ])("are none with $name", async (method) => {
    expect(await warningsOf(method)).toEqual([]);
  });
});

describe("layers whose quantized input is one value at the start", () => {
  /** conv2 multiplies signs of what ReLU left: all +1. */
  const ofParts = network("parts", { input: [6, 6, 1], classes: 4 }, (net, x) => {
    let y = net.convolution("conv1", x, { channels: 4, kernel: 3 });
    y = net.nonlinearity(net.batchNorm("bn1", y));
    y = net.convolution("conv2", y, { channels: 5, kernel: 3 });
    return net.linear("fc1", net.flatten(y), { features: 4 });
  });
  const ofBlocks = network("blocks", { input: [6, 6, 1], classes: 4 }, (net, x) => {
    let y = net.block("conv1", x, { channels: 4, kernel: 3, norm: { name: "bn1" } });
    y = net.block("conv2", y, { channels: 5, kernel: 3, norm: { name: "bn2" } });
    return net.linear("fc1", net.flatten(y), { features: 4 });
  });
  const warning =
    "the quantized input is one value everywhere at the start in conv2, so nothing may be learned before it; " +
    "build with net.block, which has the parts of a layer in the method's order, or take more bits";

  test.each<[string, typeof ofParts, Method, string[]]>([
    ["in parts with XNOR-Net", ofParts, xnor(), [warning]],
    ["in parts with DoReFa-Net", ofParts, dorefa({ weightBits: 1, activationBits: 1 }), []],
    ["in parts with BWN", ofParts, xnor({ activationBits: 32 }), []],
    ["in blocks with XNOR-Net", ofBlocks, xnor(), []],
    ["in blocks with QNN", ofBlocks, qnn({ weightBits: 1, activationBits: 1 }), []],
  ])("are named: %s", async (_, model, method, expected) => {
    const warnings: string[] = [];
    await train({ ...base, model, method, epochs: 1, onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual(expected);
  });
});

test.each([
  [2, 2],
  [3, 3],
  [4, 4],
  [2, 32],
])("QNN learns the digits to 90% in three epochs at %i/%i", async (weightBits, activationBits) => {
  const run = await train({
    model: models.lenet5,
    method: qnn({ weightBits, activationBits }),
    data: await datasets.digits(),
    optimizer: adam({ learningRate: 0.001 }),
    epochs: 3,
    batchSize: 64,
  });
  expect(run.best.top1).toBeGreaterThanOrEqual(90);
});
