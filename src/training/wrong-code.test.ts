/** Slips in code that trains: each is one line, before anything is written. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { datasets } from "../data/index.js";
import { UserError } from "../errors.js";
import type { Tensor, Tensors } from "../graph/index.js";
import { add, array, mean, mul } from "../graph/index.js";
import type { Network } from "../nn/index.js";
import { describe as describeNetwork, network } from "../nn/index.js";
import { constant, sgd } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, dorefa, quantizer, twn } from "../quantization/index.js";
import { base, data, tiny } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-wrong-code-"));
afterAll(() => rmSync(folder, { recursive: true }));

const nothing = (() => undefined) as never;
const three = array(Float32Array.of(1, 2, 3));
const ternary = twn();
const rated = (rate: unknown) => ({ schedule: { ...constant(), rate: () => rate as number } });
const withHook = (hook: object) => ({ method: { ...ternary, ...hook } as Method });
const first = "for layer conv1, got undefined";
const plain = sgd({ learningRate: 1, momentum: 0 });
const withInitial = (own: object) => ({ optimizer: { ...plain, initial: () => own } });
const withUpdate = (update: (parameters: Tensors) => object) => ({ optimizer: { ...plain, update } });
const initialMust =
  'optimizer sgd: initial must return arrays by record and parameter, such as { velocity: { "conv1.weight": { data: new Float32Array(...), shape } } }, or {}, got ';
const updateMust =
  "optimizer sgd: update must return { parameters, own } with the names and shapes that it is given, but ";

describe("train refuses", () => {
  test.each<[string, object, string]>([
    [
      "a network by its name",
      { model: "lenet5" },
      'model must be a network, such as models.lenet5 or what network() returns, got "lenet5"',
    ],
    [
      "a method by its name",
      { method: "dorefa" },
      'method must be a method, such as quant.dorefa(...) gives, got "dorefa"',
    ],
    [
      "the function that makes a method",
      { method: dorefa },
      "method must be a method, such as quant.dorefa(...) gives, got the function dorefa",
    ],
    [
      "an optimizer by its name",
      { optimizer: "adam" },
      'optimizer must be an optimizer, such as optim.adam({ learningRate: 0.001 }), got "adam"',
    ],
    [
      "data that was not awaited",
      { data: datasets.digits() },
      "data must be a data set, such as await datasets.digits() gives, got a Promise (await it)",
    ],
    [
      "a schedule by its name",
      { schedule: "step" },
      'schedule must be a schedule, such as optim.stepDecay({ every: 10 }), got "step"',
    ],
    [
      "another type of gradients",
      { gradients: "f16" },
      'gradients must be one of f32, bf16, got "f16"; did you mean bf16?',
    ],
    ["another executor", { executor: "gpu" }, 'executor must be one of native, wasm, reference, got "gpu"'],
    ["no epochs", { epochs: undefined }, "epochs must be an integer from 1 to 100000, got undefined"],
    [
      "a method without options",
      withHook({ options: undefined }),
      "method twn: options must be an object of plain data: texts, finite numbers, true, false, null, and arrays and objects of these, got undefined",
    ],
    [
      "options that JSON drops",
      withHook({ options: { clip: Infinity } }),
      'method twn: options must be an object of plain data: texts, finite numbers, true, false, null, and arrays and objects of these, got {"clip":Infinity}',
    ],
    [
      "a misspelt hook",
      withHook({ activation: (x: Tensor) => x }),
      'method twn has no option "activation"; allowed are name, options, weightBits, activationBits, fullPrecision, weights, activations, outputGradient, constrain, output, initialBound, stepFactor, gradientFactor, own, ownMomentum, nonlinearity, pooling, normalisation, normalisesEveryInput, residual, normPlaces, dropout, bits; did you mean activations?',
    ],
    [
      "a rate that is a text",
      rated("0.1"),
      'schedule constant: rate must return a number that is not negative, got "0.1" for epoch 0',
    ],
    [
      "a rate that is no number",
      rated(NaN),
      "schedule constant: rate must return a number that is not negative, got NaN for epoch 0",
    ],
    [
      "a rate that is not returned",
      rated(undefined),
      "schedule constant: rate must return a number that is not negative, got undefined for epoch 0",
    ],
    [
      "weights that are not returned",
      withHook({ weights: nothing }),
      `method twn: weights must return a tensor [3, 3, 1, 4] ${first}`,
    ],
    [
      "activations that are not returned",
      withHook({ activations: nothing }),
      `method twn: activations must return a tensor [1, 6, 6, 1] ${first}`,
    ],
    [
      "weights of another shape",
      withHook({ weights: (w: Tensor) => w.inputs }),
      "method twn: weights must return a tensor [3, 3, 1, 4] for layer conv1, got []",
    ],
    [
      "a nonlinearity that is not returned",
      withHook({ nonlinearity: nothing }),
      "method twn: nonlinearity must return a tensor for layer conv1, got undefined",
    ],
    [
      "a constraint that is not returned",
      withHook({ constrain: nothing }),
      `method twn: constrain must return a tensor [3, 3, 1, 4] ${first}`,
    ],
    [
      "own scalars that are not returned",
      withHook({ own: nothing }),
      `method twn: own must return an object of numbers, such as { scale: 1 }, ${first}`,
    ],
    [
      "own scalars that are texts",
      withHook({ own: () => ({ scale: "1" }) }),
      'method twn: own must return an object of numbers, such as { scale: 1 }, for layer conv1, got {"scale":"1"}',
    ],
    [
      "layers that are neither quantized nor not",
      withHook({ fullPrecision: nothing }),
      `method twn: fullPrecision must return true or false ${first}`,
    ],
    [
      "a quantizer's gradient that is not returned",
      withHook({ weights: quantizer({ forward: (x) => x, backward: nothing }) }),
      "quantizer: backward must return a tensor, got undefined",
    ],
    [
      "weights of shapes that do not fit",
      withHook({ weights: (w: Tensor) => mul(w, three) }),
      "method twn: weights fails for layer conv1: mul: the shapes [3, 3, 1, 4] and [3] do not broadcast",
    ],
    [
      "a quantizer's gradient of shapes that do not fit",
      withHook({ weights: quantizer({ forward: (x) => x, backward: (g) => mul(g, three) }) }),
      "method twn: weights fails for layer fc1: mul: the shapes [20, 4] and [3] do not broadcast",
    ],
    [
      "a loss of each image",
      { loss: { name: "each", options: {}, value: (logits: Tensor) => mean(logits, [1]) } },
      "loss each: value must return a tensor of shape [], the mean over the batch, got a tensor [16]",
    ],
    [
      "arrays of an optimizer that are not returned",
      { optimizer: { ...plain, initial: nothing } },
      `${initialMust}undefined`,
    ],
    [
      "arrays of an optimizer without shapes",
      withInitial({ m: { w: new Float32Array(3) } }),
      `${initialMust}a Float32Array of 3 elements as m["w"]`,
    ],
    [
      "arrays of an optimizer that are lists",
      withInitial({ m: { w: { data: Array(100).fill(0), shape: [100] } } }),
      `${initialMust}an array of 100 elements as m["w"].data`,
    ],
    [
      "arrays of an optimizer in no record",
      withInitial({ w: { data: new Float32Array(3), shape: [3] } }),
      `${initialMust}{ data, shape } as w`,
    ],
    [
      "arrays of an optimizer of other shapes",
      withInitial({ m: { w: { data: new Float32Array(3), shape: [2] } } }),
      `${initialMust}[2] as m["w"].shape for 3 numbers`,
    ],
    [
      "scalars of an optimizer that are no numbers",
      { optimizer: { ...plain, scalars: () => ({ learningRate: NaN }) } },
      'optimizer sgd: scalars must return an object of finite numbers, got {"learningRate":NaN} in step 1',
    ],
    [
      "an update that is not returned",
      { optimizer: { ...plain, update: nothing } },
      "optimizer sgd: update must return { parameters, own }, got undefined",
    ],
    [
      "an update of parameters alone",
      withUpdate((parameters) => parameters),
      "optimizer sgd: update must return { parameters, own }, got { conv1.weight, bn1.scale, bn1.shift, ... }",
    ],
    [
      "an update to a tensor of another shape",
      withUpdate((parameters) => ({ parameters: { ...parameters, "bn1.scale": three }, own: {} })),
      `${updateMust}parameters["bn1.scale"] is a tensor [3] in place of a tensor [4]`,
    ],
    [
      "an update that forgets a record",
      {
        optimizer: {
          ...sgd({ learningRate: 1, momentum: 0.9 }),
          update: (parameters: Tensors) => ({ parameters, own: {} }),
        },
      },
      `${updateMust}own.velocity is undefined`,
    ],
    [
      "an update with a record that there was not",
      withUpdate((parameters) => ({ parameters, own: { m: {} } })),
      `${updateMust}it is given no own["m"]`,
    ],
  ])("%s", async (name, wrong, message) => {
    const directory = join(folder, name);
    const options = { ...base, method: baseline(), epochs: 1, directory, ...wrong } as TrainOptions;
    const trained = train(options);
    await expect(trained).rejects.toThrow(UserError);
    await expect(trained).rejects.toThrow(message);
    expect(existsSync(directory)).toBe(false);
  });
});

describe("a network is refused", () => {
  type Build = Network["build"];
  const line = (build: Build) => () => {
    describeNetwork(network("n", { input: [4, 4, 2], classes: 2 }, build), baseline());
  };
  const convolution =
    (options: object): Build =>
    (net, x) =>
      net.convolution("c", x, { channels: 2, kernel: 3, ...options });
  const block =
    (options: object): Build =>
    (net, x) =>
      net.block("c", x, { channels: 2, kernel: 3, ...options });
  const pool =
    (options: object): Build =>
    (net, x) =>
      net.pool(x, options as { size: 2 });
  const norm =
    (options: object): Build =>
    (net, x) =>
      net.batchNorm("bn", x, options);

  test.each<[string, Build, string]>([
    ...["groups", "dilation"].map((option): [string, Build, string] => [
      `with the option ${option}`,
      convolution({ [option]: 2 }),
      `network n: c has no option "${option}"; allowed are channels, kernel, stride, padding, bias, initial`,
    ]),
    [
      "with strides",
      convolution({ strides: 2 }),
      'network n: c has no option "strides"; allowed are channels, kernel, stride, padding, bias, initial; did you mean stride?',
    ],
    [
      "with pad",
      convolution({ pad: 1 }),
      'network n: c has no option "pad"; allowed are channels, kernel, stride, padding, bias, initial',
    ],
    [
      "with padding by name",
      convolution({ padding: "valid" }),
      'network n: c: padding must be a whole number from 0, [height, width], or "same", got "valid"',
    ],
    [
      "with eps",
      norm({ eps: 1e-3 }),
      'network n: bn has no option "eps"; allowed are affine, epsilon, momentum',
    ],
    [
      "with a norm's momentum of a batch and more",
      norm({ momentum: 1.1 }),
      "network n: bn: momentum must be a positive number, at most 1, got 1.1",
    ],
    [
      "with an average by a short name",
      pool({ size: 2, kind: "avg" }),
      'network n: pool: kind must be one of average, maximum, got "avg"',
    ],
    [
      "with pooling of no size",
      pool({}),
      "network n: pool: size must be a whole number from 1, or [height, width], got undefined",
    ],
    [
      "with a window larger than its images",
      convolution({ kernel: 9 }),
      "network n: c: convolution: a window of 9x9 does not fit in an image of 4x4",
    ],
    [
      "with pooling of images that are too small",
      pool({ size: 5 }),
      "network n: pool: windowSum: a window of 5x5",
    ],
    [
      "with a sum of shapes that do not fit",
      (_, x) => add(x, three),
      "network n: add: the shapes [1, 4, 4, 2] and [3] do not broadcast",
    ],
    [
      "with a block of unknown parts",
      block({ activations: "relu" }),
      'network n: c has no option "activations"; allowed are channels, kernel, stride, padding, bias, initial, norm, pool, activation; did you mean activation?',
    ],
    [
      "with a block's norm without name",
      block({ norm: {} }),
      'network n: c: norm must be an object with a name, such as { name: "bn1" }, got {}',
    ],
    [
      "with a block's norm of unknown parts",
      block({ norm: { name: "bn", eps: 1 } }),
      'network n: c\'s norm has no option "eps"; allowed are name, affine, epsilon, momentum',
    ],
    [
      "with a block's pool of no size",
      block({ pool: {} }),
      "network n: c's pool: size must be a whole number from 1, or [height, width], got undefined",
    ],
    [
      "with a residual block of unknown parts",
      (net, x) => net.residual("r", x, { channels: 2, strides: 2 } as { channels: number }),
      'network n: r has no option "strides"; allowed are channels, stride, initial; did you mean stride?',
    ],
    [
      "with a bias that is neither there nor not",
      (net, x) => net.linear("l", net.flatten(x), { features: 2, bias: 0 as never }),
      "network n: l: bias must be true or false, got 0",
    ],
    [
      "with a block's bias before its norm",
      block({ bias: true, norm: { name: "bn" } }),
      "network n: c: a block has a norm or a bias, not both: the norm subtracts the bias; leave out one of them",
    ],
    [
      "with a parameter of a wrong shape",
      (net, x) => mul(x, net.parameter("p", [0], 1)),
      "network n: p: shape must be an array of positive integers, [] for one number, got [0]",
    ],
    [
      "with a parameter that starts from nothing",
      (net, x) => mul(x, net.parameter("p", [2], { kind: "normal", bound: 1 } as never)),
      'network n: p: initial must be a number, or a distribution such as { kind: "normal", deviation: 0.1 }, got {"kind":"normal","bound":1}',
    ],
    [
      "with a parameter of a layer's weights' name",
      (net, x) => mul(net.convolution("c", x, { channels: 2, kernel: 1 }), net.parameter("c.weight", [2], 1)),
      'network n: two parameters have the name "c.weight"; give each a name of its own',
    ],
    [
      "with a parameter of a method's scalar's name",
      (net, x) => mul(x, net.parameter("c.own.scale", [2], 1)),
      'network n: "c.own.scale" cannot be a parameter\'s name: those with ".own." are a method\'s',
    ],
    [
      "with dropout by name",
      (net, x) => net.dropout(x, "half" as never),
      'network n: dropout\'s rate must be a number from 0 to below 1, got "half"',
    ],
    [
      "whose build is async",
      (async (_: unknown, x: Tensor) => Promise.resolve(x)) as never,
      "network n: build must return the tensor of its logits [1, 2], got a Promise (await it)",
    ],
    [
      "whose build returns nothing",
      nothing,
      "network n: build must return the tensor of its logits [1, 2], got undefined",
    ],
    [
      "whose part is not returned",
      (net) => net.flatten(undefined as never),
      "network n: flatten: the input must be a tensor, got undefined",
    ],
  ])("%s", (_name, build, message) => {
    expect(line(build)).toThrow(UserError);
    expect(line(build)).toThrow(message);
  });
});

test("dorefa without options says which it takes", () => {
  expect(() => dorefa(undefined as never)).toThrow(
    new UserError(
      "the options of dorefa must be an object with weightBits, activationBits (and optionally gradientBits, preset), got undefined",
    ),
  );
});

test("what is right is trained", async () => {
  const run = await train({ ...base, method: ternary, model: tiny, data, epochs: 1 });
  expect(run.metrics).toHaveLength(1);
});
