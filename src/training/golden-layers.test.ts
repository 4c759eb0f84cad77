/** Networks of layers that none of fewbit's own has, forward and backward on every kernel, against PyTorch in double (tools/golden/layers.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import type { Network, NetworkBuilder } from "../nn/index.js";
import { apply, network } from "../nn/index.js";
import type { Tensor } from "../graph/index.js";
import { add, concatenate, mul } from "../graph/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, qnn } from "../quantization/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { Weights } from "./golden-pass.test.fixture.js";
import { compiledRun, everyExecutor, expectDeclared, expectStep } from "./golden-pass.test.fixture.js";
import type { GoldenPass } from "./golden.test.fixture.js";
import { makeAll } from "./golden.test.fixture.js";

const builds: Record<string, (net: NetworkBuilder, x: Tensor) => Tensor> = {
  "same padding"(net, images) {
    const padding = "same";
    const average = { kind: "average", stride: 1, padding } as const;
    const pool = { kind: "maximum", size: 2, stride: 1, padding } as const;
    let x = net.block("conv1", images, { channels: 4, kernel: 3, stride: 2, padding, pool });
    x = net.block("conv2", x, { channels: 5, kernel: 2, padding, pool: { ...average, size: 2 } });
    x = net.block("conv3", x, { channels: 6, kernel: 2, stride: 3, padding, pool: { ...average, size: 3 } });
    return net.linear("fc", net.flatten(x), { features: net.classes });
  },
  parameters(net, images) {
    const conv1 = { channels: 4, kernel: 3, padding: 1, activation: false };
    const x = net.prelu("act1", net.block("conv1", images, conv1));
    const scaled = mul(x, net.parameter("gain", [4], 1));
    const moved = add(scaled, net.parameter("offset", [], { kind: "normal", deviation: 0.1 }));
    return net.linear("fc", net.flatten(moved), { features: net.classes });
  },
  concatenation(net, images) {
    const x = net.block("conv1", images, { channels: 3, kernel: 3, padding: 1 });
    const wide = net.block("conv2", x, { channels: 4, kernel: 3, padding: 1 });
    const joined = concatenate([x, net.block("conv3", x, { channels: 2, kernel: 1 }), wide]);
    const pooled = net.pool(joined, { kind: "maximum", size: 2 });
    return net.linear("fc", net.flatten(pooled), { features: net.classes });
  },
  norms(net, images) {
    const bn1 = { name: "bn1", epsilon: 0.01, momentum: 0.25 };
    const x = net.block("conv1", images, { channels: 4, kernel: 3, norm: bn1 });
    const y = net.linear("fc", net.flatten(x), { features: net.classes });
    return net.batchNorm("bn2", y, { epsilon: 0.1, momentum: 1 });
  },
  biases(net, images) {
    const conv1 = { channels: 4, kernel: 3, padding: 1, bias: true };
    const pool = { kind: "average", size: 2 } as const;
    const x = net.block("conv1", images, conv1);
    const y = net.pool(net.convolution("conv2", x, { channels: 5, kernel: 2, bias: true }), pool);
    return net.linear("fc", net.flatten(net.nonlinearity(y)), { features: net.classes, bias: true });
  },
};

type Golden = GoldenPass & { network: string; bits: number; prefix: string };
const file = new URL("../../tools/golden/data/layers.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Golden[];

function networkOf({ network: name, start }: Golden): Network {
  const [, height, width, channels] = start.inputs.images.shape;
  const shape = { input: [height, width, channels], classes: 3 } as const;
  return network(name, shape, (net, x) => builds[name](net, x));
}

const methodOf = (bits: number): Method =>
  bits === 32 ? baseline() : qnn({ weightBits: 1, activationBits: 1, preset: "redbit" });

const weightsOf = (prefix: string, start: Golden["start"]) => ({
  parameters: makeAll(prefix, start.parameters),
  statistics: makeAll(prefix, start.statistics),
});

describe.each(cases)("$network of $bits bits", (golden) => {
  const { prefix, start, labels, bits } = golden;
  const model = networkOf(golden);
  const method = methodOf(bits);

  it("has the golden network's parameters and statistics", () => {
    expectDeclared(model, method, start);
  });

  it.each(everyExecutor)("is PyTorch's on $name, $instructionSet", async (executor) => {
    const { images } = makeAll(prefix, start.inputs);
    const weights = weightsOf(prefix, start);
    const batch = { images, labels: { data: Int32Array.from(labels), shape: [labels.length] } };
    expectStep(golden, await compiledRun(model, method, executor)({ weights, batch }), 1e-5);
  });
});

it.each(cases.filter(({ bits }) => bits === 1))("$network multiplies signs as bytes", (golden) => {
  const { bits, prefix, start } = golden;
  const { executor } = chooseExecutor({ executor: "wasm" });
  const [model, method] = [networkOf(golden), methodOf(bits)];
  const weights = weightsOf(prefix, start);
  const evaluate = compile(
    (state: Weights, { images }: { images: Tensor }) => ({
      logits: apply(model, method, state, images, { training: false }).logits,
    }),
    { executor },
  );
  const { images } = makeAll(prefix, start.inputs);
  const { instructions } = evaluate.program(createState<Weights>(weights, { executor }), { images });
  const products = instructions.flatMap((instruction) =>
    instruction.kind === "product" ? [instruction.inputs.map(({ storage }) => storage).join()] : [],
  );
  // conv3's windows would lie in the padding alone, so that its images get the odd zeros, of which there is no sign.
  const floats = golden.network === "same padding" ? ["conv1", "conv3"] : ["conv1"];
  const weightsOnBytes = Object.keys(start.parameters).filter(
    (name) => name.endsWith(".weight") && !floats.includes(name.split(".")[0]),
  );
  expect(products.filter((storages) => storages === "s8,s8")).toHaveLength(weightsOnBytes.length);
});
