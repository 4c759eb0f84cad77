/** The networks under every method: their parameters by the table of the published study, their layers and their order. */
import { describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { sizeOf } from "../graph/index.js";
import { describe as describeNetwork, fitted, network, summarise } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, createMethod, dorefa, qnn, twn, xnor } from "../quantization/index.js";
import { modelNamed, modelRegistry, models } from "./index.js";

const { resnet, resnet20, resnet50, vgg16, lenet5 } = models;

const w = (weightBits: number, activationBits: number, preset?: string) => ({
  weightBits,
  activationBits,
  preset,
});
const plain: [string, object][] = [
  ["baseline", {}],
  ...["paper", "redbit"].flatMap((preset): [string, object][] => [
    ...[w(1, 1, preset), w(2, 2, preset), w(8, 8, preset), w(1, 32, preset), w(32, 32, preset)].map(
      (options): [string, object] => ["qnn", options],
    ),
    ...["twn", "ttq"].flatMap((name): [string, object][] => [
      [name, w(2, 32, preset)],
      [name, w(32, 32, preset)],
    ]),
  ]),
];
const dorefas = [w(2, 2), w(1, 1, "redbit"), w(1, 32), w(32, 32)].map((o): [string, object] => ["dorefa", o]);
const redbits = [w(1, 1, "redbit"), w(1, 32, "redbit")].map((o): [string, object] => ["xnor", o]);
const papers = [w(1, 1), w(1, 32), w(32, 32)].map((o): [string, object] => ["xnor", o]);

/** Latent weights, scales and shifts; not a method's own scalars. */
const parametersOf = (model: typeof vgg16, method: Method) => summarise(model, method).totals.parameters;

describe("parameters", () => {
  const table: [typeof vgg16, [string, object][], number][] = [
    [lenet5, plain, 554_600],
    [lenet5, dorefas, 554_600],
    [lenet5, [...redbits, ...papers], 555_640],
    [resnet20, plain, 272_464],
    [resnet20, dorefas, 272_368],
    [resnet20, [...redbits, ...papers], 272_272],
    [resnet50, plain, 758_544],
    [resnet50, dorefas, 758_448],
    [resnet50, [...redbits, ...papers], 758_352],
    [vgg16, [...plain, ...dorefas], 33_634_240],
    [vgg16, redbits, 33_633_344],
    // One more norm before each sign of the classifier: of 512 and 4,096 features.
    [vgg16, [papers[0]], 33_633_344 + 2 * (512 + 4096)],
    [vgg16, papers.slice(1), 33_633_344],
  ];
  test.each(
    table.flatMap(([model, methods, count]) =>
      methods.map(([name, options]) => ({ model, name, options, count, network: model.name })),
    ),
  )("$network with $name $options has $count", ({ model, name, options, count }) => {
    const method = createMethod(name, options);
    expect(parametersOf(model, method)).toBe(count);
    const { parameters } = describeNetwork(model, method);
    const own = parameters.filter((spec) => spec.name.includes(".own."));
    expect(parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(count + own.length);
  });
});

describe("bits", () => {
  const bitsOf = (model: typeof vgg16, method: Method) =>
    Object.fromEntries(
      summarise(model, method).layers.map(({ name, weightBits, activationBits }) => [
        name,
        `${weightBits}/${activationBits}`,
      ]),
    );
  const edges = ({ conv1, fc, "stage2.block1.shortcut": shortcut }: Record<string, string>) => [
    conv1,
    shortcut,
    fc,
  ];

  test("a shortcut's convolution is quantized as every other", () => {
    expect(edges(bitsOf(resnet20, dorefa({ weightBits: 2, activationBits: 3 })))).toEqual([
      "32/32",
      "2/3",
      "32/32",
    ]);
    expect(edges(bitsOf(resnet20, qnn({ weightBits: 2, activationBits: 3 })))).toEqual([
      "2/32",
      "2/3",
      "2/3",
    ]);
    expect(edges(bitsOf(resnet20, xnor()))).toEqual(["32/32", "1/1", "32/32"]);
    expect(edges(bitsOf(resnet20, twn()))).toEqual(["2/32", "2/32", "2/32"]);
  });

  test("ResNet-20 has 19 convolutions of 3x3, two of 1x1 and a linear layer; ResNet-50 28 more", () => {
    const count = (model: typeof vgg16) => Object.keys(bitsOf(model, baseline())).length;
    expect([count(resnet20), count(resnet50), count(resnet(32))]).toEqual([22, 52, 34]);
  });
});

describe("shapes", () => {
  const shapesOf = (model: typeof vgg16) =>
    Object.fromEntries(
      summarise(model, baseline()).layers.map(({ name, outputShape }) => [name, outputShape]),
    );

  test("ResNet-20 halves the image twice", () => {
    const shapes = shapesOf(resnet20);
    expect(shapes["stage1.block3.conv2"]).toEqual([32, 32, 16]);
    expect(shapes["stage2.block1.conv1"]).toEqual([16, 16, 32]);
    expect(shapes["stage2.block1.shortcut"]).toEqual([16, 16, 32]);
    expect(shapes["stage3.block3.conv2"]).toEqual([8, 8, 64]);
  });

  test("ResNet-20 takes 40.8 million multiply-accumulates, VGG-16 332 million", () => {
    const macs = (model: typeof vgg16) => summarise(model, baseline()).totals.multiplyAccumulates;
    // 16 channels at 32x32: 3·9·16 and 6 times 16·9·16 a pixel; and so on.
    const stage = (side: number, c: number, from: number) =>
      side * side * (from * c * 9 + 5 * c * c * 9 + from * c);
    const first = 32 * 32 * (3 * 16 * 9 + 6 * 16 * 16 * 9);
    expect(macs(resnet20)).toBe(first + stage(16, 32, 16) + stage(8, 64, 32) + 640);
    expect(Math.round(macs(vgg16) / 1e6)).toBe(332);
  });

  test("both take other images and classes", () => {
    const grey = { input: [28, 28, 1] as const, classes: 7 };
    expect(shapesOf(fitted(resnet20, grey)).fc).toEqual([7]);
    expect(shapesOf(fitted(vgg16, { input: [224, 224, 3], classes: 1000 })).fc1).toEqual([4096]);
    expect(() => fitted(vgg16, grey)).toThrow(
      "vgg16 cannot take images of 28x28x1 to 7 classes: pool after conv13: windowMax: a window of 2x2 does not fit in an image of 1x1",
    );
  });
});

describe("initial values", () => {
  test("a ResNet's convolutions are normal by their fan out, its last layer is uniform by its fan in", () => {
    const { parameters } = describeNetwork(resnet20, baseline());
    const initial = Object.fromEntries(parameters.map((spec) => [spec.name, spec.initial]));
    expect(initial["conv1.weight"]).toEqual({ kind: "normal", deviation: Math.sqrt(2 / (9 * 16)) });
    expect(initial["stage3.block1.conv1.weight"]).toEqual({
      kind: "normal",
      deviation: Math.sqrt(2 / (9 * 64)),
    });
    expect(initial["stage2.block1.shortcut.weight"]).toEqual({
      kind: "normal",
      deviation: Math.sqrt(2 / 32),
    });
    expect(initial["fc.weight"]).toEqual({ kind: "uniform", bound: 1 / 8 });
  });

  test("VGG-16's weights are uniform by their fan in", () => {
    const { parameters } = describeNetwork(vgg16, baseline());
    const { initial } = parameters.find(({ name }) => name === "conv2.weight")!;
    expect(initial).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(9 * 64) });
  });
});

describe("names", () => {
  test("resnet of depth 20 is resnet20", () => {
    expect(modelNamed("resnet", 20).name).toBe("resnet20");
    expect(parametersOf(modelNamed("resnet", 20), baseline())).toBe(272_464);
  });

  test("an unknown depth is refused, in code too", () => {
    expect(() => resnet(19)).toThrow(
      "depth must be 18 or 34 for ImageNet, or 6n + 2 from 8 to 1202, such as 20, 32 or 56, got 19",
    );
  });
});

test("a mistake in a network's file is reported with the file and the layer", () => {
  const build = (options: object) => {
    const own = network("own", { input: [4, 4, 1], classes: 2 }, (net, x) =>
      net.convolution("c", x, { channels: 2, kernel: 3, ...options }),
    );
    modelRegistry.register("./net.mjs", own, "0");
    return () => describeNetwork(modelNamed("./net.mjs"), baseline());
  };
  expect(build({ kernel: 9 })).toThrow(
    "build() of ./net.mjs fails: c: convolution: a window of 9x9 does not fit in an image of 4x4",
  );
  expect(build({ channels: 0 })).toThrow(
    new UserError("build() of ./net.mjs fails: c: channels must be a positive integer, got 0", "model"),
  );
});
