/** What layers declare and cost: their numbers are compared with PyTorch's in src/training/golden-layers.test.ts. */
import { expect, test } from "vitest";
import { dorefa } from "../quantization/index.js";
import type { Network } from "./index.js";
import { describe as describeNetwork, network, summarise } from "./index.js";

const twoBits = dorefa({ weightBits: 2, activationBits: 2 });
const built = (build: Network["build"]): Network => network("n", { input: [4, 4, 2], classes: 3 }, build);

test("a bias begins at zero, stays in full precision, and counts among its layer's parameters", () => {
  const model = built((net, images) => {
    const x = net.block("conv1", images, { channels: 2, kernel: 3 });
    const y = net.block("conv2", x, { channels: 4, kernel: 2, bias: true });
    return net.linear("fc", net.flatten(y), { features: net.classes });
  });
  const { parameters } = describeNetwork(model, twoBits);
  const bias = parameters.find(({ name }) => name === "conv2.bias");
  expect(bias).toEqual({ name: "conv2.bias", shape: [4], initial: { kind: "constant", value: 0 } });
  const { layers, totals } = summarise(model, twoBits);
  expect(layers[1]).toMatchObject({ parameters: 2 * 2 * 2 * 4 + 4, bytes: 8 + 4 * 4, bytes32: 4 * 36 });
  expect(totals.parameters).toBe(9 * 2 * 2 + 36 + 4 * 3);
});
