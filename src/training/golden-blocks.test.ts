/**
 * Single blocks of ResNets, parts of VGG-16, the beginning of ResNet-18 and a narrow AlexNet in f32 on every kernel, forward and
 * backward, against PyTorch in double, from inputs that keep clear of every boundary (tools/golden/blocks.py and
 * imagenet.py). Whole deep networks: golden-deep.test.ts, golden-imagenet.test.ts.
 */
import { describe, it } from "vitest";
import { alexnet } from "../models/alexnet.js";
import type { Network } from "../nn/index.js";
import { fitted, network } from "../nn/index.js";
import { createMethod } from "../quantization/index.js";
import { compiledRun, everyExecutor, expectDeclared, expectStep } from "./golden-pass.test.fixture.js";
import type { GoldenPass, GoldenRun } from "./golden.test.fixture.js";
import { makeAll, readFile } from "./golden.test.fixture.js";

const shape = { input: [8, 8, 3] as const, classes: 10 };
const convolution = (channels: number) => ({ channels, kernel: 3, padding: 1 });

const residual = (channels: number, stride: number): Network =>
  network("residual", shape, (net, images) => {
    const x = net.block("conv1", images, { ...convolution(16), norm: { name: "bn1" } });
    const y = net.residual("block", x, { channels, stride });
    return net.linear("fc", net.flatten(y), { features: 10 });
  });

const networks: Record<string, Network> = {
  identity: residual(16, 1),
  downsampling: residual(32, 2),
  pooled: network("pooled", shape, (net, images) => {
    const pool = { kind: "maximum", size: 2 } as const;
    const x = net.block("conv1", images, { ...convolution(16), norm: { name: "bn1" }, pool });
    const y = net.block("conv2", x, { ...convolution(32), norm: { name: "bn2" } });
    return net.linear("fc", net.flatten(y), { features: 10 });
  }),
};

/** The beginning of ResNet-18: its convolution, norm and pooling, and a convolution after it. */
const stem = network("stem", { input: [16, 16, 3], classes: 10 }, (net, images) => {
  const pool = { kind: "maximum", size: 3, stride: 2, padding: 1 } as const;
  const first = { channels: 16, kernel: 7, stride: 2, padding: 3 };
  const x = net.block("conv1", images, { ...first, norm: { name: "bn1" }, pool });
  const y = net.block("conv2", x, { ...convolution(8), norm: { name: "bn2" } });
  return net.linear("fc", net.flatten(y), { features: 10 });
});

/** VGG-16's beginning, with a pooling, and its classifier. */
const vgg = network("vgg", { input: [8, 8, 3], classes: 10 }, (net, images) => {
  const pool = { kind: "maximum", size: 2 } as const;
  const x = net.block("conv1", images, { ...convolution(8), norm: { name: "bn1" } });
  const y = net.block("conv2", x, { ...convolution(8), norm: { name: "bn2" }, pool });
  const z = net.dropout(net.block("fc1", net.flatten(y), { features: 24 }));
  return net.linear("fc3", net.dropout(net.block("fc2", z, { features: 16 })), { features: 10 });
});

function networkOf(block: string, preset: string | undefined): Network {
  if (block === "stem") return stem;
  if (block === "vgg") return vgg;
  if (block !== "alexnet") return networks[block];
  const [form, side] = preset === "redbit" ? (["redbit", 115] as const) : (["paper", 112] as const);
  const narrow = alexnet(form, { channels: [4, 6, 4, 6, 4], features: 12 });
  return fitted(narrow, { input: [side, side, 3], classes: 10 });
}

const cases = ["blocks", "imagenet-blocks"].flatMap(
  (file) =>
    readFile(file) as {
      block: string;
      method: GoldenRun["method"];
      step: GoldenPass & { prefix: string };
    }[],
);

describe.each(cases.map((golden) => ({ ...golden, title: golden.step.prefix.split("/")[0] })))(
  "$title",
  ({ block, method: { name, ...options }, step }) => {
    const [model, method] = [networkOf(block, options.preset), createMethod(name, options)];
    const { prefix, start, labels } = step;

    it("has the parameters and statistics of the golden block", () => {
      expectDeclared(model, method, start);
    });

    it.each(everyExecutor)("is PyTorch's on $name, $instructionSet", async (executor) => {
      const { images } = makeAll(prefix, start.inputs);
      const weights = {
        parameters: makeAll(prefix, start.parameters),
        statistics: makeAll(prefix, start.statistics),
      };
      const batch = { images, labels: { data: Int32Array.from(labels), shape: [labels.length] } };
      // Rounding grows through the eight norms of AlexNet: to 1.8e-5 where nothing is quantized on the way.
      const bound = block === "alexnet" ? 4e-5 : 1e-5;
      expectStep(step, await compiledRun(model, method, executor)({ weights, batch }), bound);
    });
  },
);
