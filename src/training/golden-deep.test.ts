/**
 * Training steps of ResNets and VGG-16 against PyTorch in double (tools/golden/README.md): the graph,
 * evaluated op by op in double. In f32 some value of so deep a network always falls
 * on the other side of a rounding: what the kernels compute is compared block by block (golden-blocks.test.ts).
 */
import { afterEach, describe, expect, it } from "vitest";
import { models } from "../models/index.js";
import type { Network } from "../nn/index.js";
import { describe as describeNetwork } from "../nn/index.js";
import { createMethod } from "../quantization/index.js";
import { expectedOf, resultsOf } from "./golden-double.test.fixture.js";
import { expectClose, mapRecord, read } from "./golden.test.fixture.js";

/**
 * Here sums of signs that are exactly 0 meet ReLU. They are so after the compiler's pass, which makes of them
 * products of codes; its constants are f32, hence the limit.
 */
const exactRuns = ["resnet20-xnor-1-1-redbit", "vgg16-dorefa-2-2"];
const limits = { exact: 1e-6, plain: 1e-9 };
/**
 * Here sums of codes tie in pooling windows, and meet clips. That does not matter forward; the gradients behind
 * them are compared in golden-blocks.test.ts.
 */
const forwardRuns: Record<string, string> = { "vgg16-dorefa-2-2": "gradient fc3.weight" };
const runs: [Network, string[]][] = [
  [
    models.resnet20,
    [
      ...["baseline", "dorefa-2-2", "qnn-2-2", "qnn-1-1-redbit", "xnor-1-1", "xnor-1-1-redbit"],
      ...["xnor-1-32", "twn-2-32", "ttq-2-32"],
    ],
  ],
  [models.resnet50, ["dorefa-2-2"]],
  [models.vgg16, ["baseline", "dorefa-2-2"]],
];

// A step holds the thread for seconds; the runner's messages get through between steps.
afterEach(() => new Promise((resolve) => setTimeout(resolve, 1)));

describe.each(runs.flatMap(([network, names]) => names.map((name) => ({ network, name }))))(
  "$network.name, $name",
  ({ network, name }) => {
    const file = `${network.name}-${name}`;
    const { method: described, optimizer, steps } = read(file);
    const { name: methodName, ...options } = described;
    const method = createMethod(methodName, options);
    const exact = exactRuns.includes(file);

    it("has the parameters and statistics of the golden network", () => {
      const shapes = (specs: readonly { name: string; shape: readonly number[] }[]) =>
        Object.fromEntries(specs.map((spec) => [spec.name, spec.shape]));
      const declared = describeNetwork(network, method);
      const { parameters, statistics } = steps[0].start;
      expect(shapes(declared.parameters)).toEqual(mapRecord(parameters, ({ shape }) => shape));
      expect(shapes(declared.statistics)).toEqual(mapRecord(statistics, ({ shape }) => shape));
    });

    it.each(steps)("step $step is PyTorch's", (golden) => {
      const expected = expectedOf(golden);
      const last = forwardRuns[file];
      for (const name of Object.keys(expected)) {
        if (last !== undefined && name.startsWith("gradient") && name !== last) delete expected[name];
      }
      const names = Object.keys(expected);
      const results = resultsOf(
        { network, method, optimizer },
        `${file}/${golden.step}`,
        golden,
        names,
        exact,
      );
      for (const [what, summary] of Object.entries(expected)) {
        expectClose(results[what], summary, limits[exact ? "exact" : "plain"], what);
      }
    });
  },
);
