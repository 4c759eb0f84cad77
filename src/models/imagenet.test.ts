/** The networks for ImageNet under every method and in both presets: their parameters, their maps and their norms by the published study. */
import { describe, expect, test } from "vitest";
import type { Network } from "../nn/index.js";
import { describe as describeNetwork, fitted, summarise } from "../nn/index.js";
import { createMethod } from "../quantization/index.js";
import { inForm, modelNamed, models, redbitModels } from "./index.js";

const { alexnet, resnet, resnet18 } = models;
const imageNet = (side: number) => ({ input: [side, side, 3] as const, classes: 1000 });
const vgg16 = fitted(models.vgg16, imageNet(224));
const vgg16In227 = fitted(models.vgg16, imageNet(227));

const presets = ["paper", "redbit"] as const;
const bits: Record<string, readonly [number, number][]> = {
  baseline: [[32, 32]],
  qnn: [[1, 1], [2, 32], [32, 32]], // prettier-ignore
  dorefa: [[2, 2], [1, 32], [32, 32]], // prettier-ignore
  xnor: [[1, 1], [1, 32]], // prettier-ignore
  twn: [[2, 32], [32, 32]], // prettier-ignore
  ttq: [[2, 32]],
};
const methods = Object.entries(bits).flatMap(([name, pairs]) =>
  pairs.map(([weightBits, activationBits]) => ({ name, weightBits, activationBits })),
);

const shapesOf = (network: Network, method = createMethod("baseline")) =>
  Object.fromEntries(
    summarise(network, method).layers.map(({ name, inputShape, outputShape }) => [
      name,
      { input: inputShape.join("x"), output: outputShape.join("x") },
    ]),
  );

/** The channels of each norm, in the order in which they are built. */
const normsOf = (network: Network, method: string, options: object) =>
  Object.fromEntries(
    describeNetwork(network, createMethod(method, options))
      .statistics.filter(({ name }) => name.endsWith(".mean"))
      .map(({ name, shape }) => [name.replace(".mean", ""), shape[0]]),
  );

describe("parameters", () => {
  const counts: Record<string, Record<string, number>> = {
    alexnet: { dorefa: 62_388_912, xnor: 62_405_024, others: 62_388_912 },
    resnet18: { dorefa: 11_687_616, xnor: 11_686_720, others: 11_688_512 },
    vgg16: { dorefa: 138_352_576, xnor: 138_351_680, others: 138_352_576 },
  };
  const networks = { paper: { alexnet, resnet18, vgg16 }, redbit: { ...redbitModels, vgg16: vgg16In227 } };
  const cases = presets.flatMap((preset) =>
    Object.keys(counts).flatMap((network) => methods.map((method) => ({ network, preset, ...method }))),
  );
  test.each(cases)(
    "$network in $preset with $name $weightBits/$activationBits",
    ({ network, preset, name, weightBits, activationBits }) => {
      const method = createMethod(name, { weightBits, activationBits, preset });
      const { [name]: count = counts[network].others } = counts[network];
      // XNOR-Net's authors sign normalised values in VGG's classifier too: of 25,088 and 4,096 features.
      const more = network === "vgg16" && name === "xnor" && preset === "paper" && activationBits === 1;
      const model = networks[preset][network as "alexnet"];
      expect(summarise(model, method).totals.parameters).toBe(count + (more ? 2 * (25_088 + 4096) : 0));
    },
  );

  test("ResNet-34 has as many as torchvision's, less the last layer's biases", () => {
    const { parameters } = summarise(resnet(34), createMethod("baseline")).totals;
    expect(parameters).toBe(21_797_672 - 1000);
  });
});

describe("maps", () => {
  const alexnetMaps = {
    conv1: "55x55x96",
    conv2: "27x27x256",
    conv3: "13x13x384",
    conv4: "13x13x384",
    conv5: "13x13x256",
    fc1: "4096",
    fc2: "4096",
    fc3: "1000",
  };
  test.each([
    ["224 pixels in preset paper", alexnet],
    ["227 pixels in preset redbit", redbitModels.alexnet],
  ])("AlexNet, %s", (_, network) => {
    const shapes = shapesOf(network);
    expect(Object.fromEntries(Object.entries(shapes).map(([name, { output }]) => [name, output]))).toEqual(
      alexnetMaps,
    );
    expect([shapes.conv2.input, shapes.conv3.input, shapes.fc1.input]).toEqual(
      ["27x27x96", "13x13x256", "9216"], // prettier-ignore
    );
  });

  test.each([
    [224, resnet18, [112, 56, 56, 28, 14, 7]],
    [227, redbitModels.resnet18, [114, 57, 57, 29, 15, 8]],
    [227, fitted(resnet18, imageNet(227)), [114, 57, 57, 29, 15, 8]],
  ])("ResNet-18, %i pixels", (_, network, [stem, pooled, ...stages]) => {
    const shapes = shapesOf(network);
    expect(shapes.conv1.output).toBe(`${stem}x${stem}x64`);
    expect(shapes["stage1.block1.conv1"].input).toBe(`${pooled}x${pooled}x64`);
    stages.forEach((side, i) => {
      const map = `${side}x${side}x${64 * 2 ** i}`;
      expect(shapes[`stage${i + 1}.block2.conv2`].output).toBe(map);
      expect(shapes[`stage${i + 1}.block1.shortcut`]?.output).toBe(i === 0 ? undefined : map);
    });
    expect(shapes.fc).toEqual({ input: "512", output: "1000" });
  });

  test.each([
    [224, vgg16, [224, 112, 56, 28, 14]],
    [227, vgg16In227, [227, 113, 56, 28, 14]],
  ])("VGG-16, %i pixels", (_, network, sides) => {
    const shapes = shapesOf(network);
    const last = [2, 4, 7, 10, 13].map((i) => shapes[`conv${i}`].output);
    expect(last).toEqual(
      [64, 128, 256, 512, 512].map((channels, i) => `${sides[i]}x${sides[i]}x${channels}`),
    );
    expect(shapes.fc1).toEqual({ input: "25088", output: "4096" });
  });

  test("of other sizes go into the first fully connected layer as they are", () => {
    const small = (network: Network, side: number) =>
      shapesOf(fitted(network, { input: [side, side, 3], classes: 10 }));
    expect(small(alexnet, 64).fc1.input).toBe("256");
    expect(small(redbitModels.alexnet, 67).fc1.input).toBe("256");
    expect(small(alexnet, 112).fc1.input).toBe(`${2 * 2 * 256}`);
    expect(small(resnet18, 64).fc.input).toBe("512");
    expect(small(redbitModels.resnet18, 67).fc.input).toBe("512");
    for (const [network, least] of [
      [alexnet, 63],
      [redbitModels.alexnet, 67],
    ] as const) {
      // prettier-ignore
      expect(small(network, least).fc1.input).toBe("256");
      expect(() => small(network, least - 1)).toThrow(
        `alexnet cannot take images of ${least - 1}x${least - 1}x3 to 10 classes: it takes ${least}x${least} pixels at least`,
      );
    }
  });
});

describe("norms", () => {
  const of = (channels: string) => Object.fromEntries(channels.split(" ").map((c, i) => [`bn${i + 1}`, +c]));
  test.each([
    ["baseline", {}, "96 256 384 384 256 4096 4096 1000"],
    ["qnn", { weightBits: 1, activationBits: 1 }, "96 256 384 384 256 4096 4096 1000"],
    ["dorefa", { weightBits: 2, activationBits: 2 }, "96 256 384 384 256 4096 4096 1000"],
    ["twn", {}, "96 256 384 384 256 4096 4096 1000"],
    // conv3 to conv5 have theirs before them.
    ["ttq", {}, "96 256 256 384 384 4096 4096 1000"],
    // All but the first stand before their layer, the last two before fully connected ones.
    ["xnor", { activationBits: 1 }, "96 96 256 384 384 9216 4096 4096"],
  ])("AlexNet's with %s", (method, options, channels) => {
    expect(normsOf(alexnet, method, options)).toEqual(of(channels));
  });

  test("a stage's first norm is of the stage before where norms stand before layers", () => {
    const first = (method: string, options: object) => {
      const norms = normsOf(resnet18, method, options);
      return ["bn1", "bn2", "shortcutNorm"].map((norm) => norms[`stage2.block1.${norm}`]);
    };
    expect(first("baseline", {})).toEqual([128, 128, 128]);
    expect(first("dorefa", { weightBits: 2, activationBits: 2 })).toEqual([64, 128, 128]);
    expect(first("xnor", { activationBits: 1 })).toEqual([64, 128, 64]);
  });
});

test("AlexNet's weights are uniform by their fan in, ResNet-18's convolutions normal by their fan out", () => {
  const initial = (network: Network, name: string) =>
    describeNetwork(network, createMethod("baseline")).parameters.find((spec) => spec.name === name)?.initial;
  expect(initial(alexnet, "conv1.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(363) });
  expect(initial(alexnet, "fc1.weight")).toEqual({ kind: "uniform", bound: 1 / 96 });
  expect(initial(resnet18, "conv1.weight")).toEqual({
    kind: "normal",
    deviation: Math.sqrt(2 / (49 * 64)),
  });
  expect(initial(resnet18, "stage4.block1.shortcut.weight")).toEqual({ kind: "normal", deviation: 1 / 16 });
  expect(initial(resnet18, "fc.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(512) });
});

describe("names", () => {
  test("resnet of depth 18 is resnet18; a network is that of its preset", () => {
    expect(modelNamed("resnet", 18)).toMatchObject({ name: "resnet18", input: [224, 224, 3] });
    expect(modelNamed("resnet18", undefined, "redbit")).toBe(redbitModels.resnet18);
    expect(modelNamed("resnet", 34, "redbit")).toBe(redbitModels.resnet34);
    expect(modelNamed("alexnet", undefined, "redbit")).toBe(redbitModels.alexnet);
    expect(modelNamed("alexnet", undefined, "paper")).toBe(alexnet);
    expect(modelNamed("vgg16", undefined, "redbit")).toBe(models.vgg16);
  });

  test("a network made for other images keeps its form, and gets the other back", () => {
    const small = fitted(redbitModels.alexnet, { input: [67, 67, 3], classes: 10 });
    expect(small.preset).toBe("redbit");
    expect(inForm(small, "redbit")).toBe(small);
    expect(inForm(small)).toBe(alexnet);
  });
});
