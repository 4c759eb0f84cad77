/**
 * Training steps of AlexNet and ResNet-18 against PyTorch in double (tools/golden/README.md): with every method in both
 * presets narrow, with all of their layers, and once each as they are. In f32: golden-blocks.test.ts.
 */
import { afterEach, describe, expect, it } from "vitest";
import { alexnet } from "../models/alexnet.js";
import { imageNetResnet } from "../models/resnet-imagenet.js";
import { describe as describeNetwork, fitted } from "../nn/index.js";
import { createMethod } from "../quantization/index.js";
import { expectedOf, resultsOf } from "./golden-double.test.fixture.js";
import type { GoldenRun, GoldenStep } from "./golden.test.fixture.js";
import { expectClose, mapRecord, readFile } from "./golden.test.fixture.js";

type Channels = Parameters<typeof alexnet>[1] & { channels: unknown };
interface Run extends Pick<GoldenRun, "method" | "optimizer"> {
  name: string;
  network: string;
  /** The channels of each convolution and the features, for AlexNet; for ResNet-18 the channels of its first stage. */
  widths: number | [Channels["channels"], number];
  step: GoldenStep;
}

/**
 * Here sums of codes tie in pooling windows, or signs that add to 0 meet ReLU. They do so after the compiler's pass, which
 * makes of them products of codes; its constants are f32, hence the limit.
 */
function isExact({ network, method: { name, activationBits, preset } }: Run): boolean {
  if (network === "alexnet") return (name === "dorefa" || name === "xnor") && activationBits !== 32;
  return name === "xnor" && activationBits === 1 && preset === "redbit";
}
const limits = { exact: 1e-6, plain: 1e-9 };

function networkOf({ widths, method, step }: Run) {
  const preset = method.preset === "redbit" ? "redbit" : "paper";
  const [, height, width, channels] = step.start.inputs.images.shape;
  const network =
    typeof widths === "number"
      ? imageNetResnet(18, preset, widths)
      : alexnet(preset, { channels: widths[0], features: widths[1] });
  return fitted(network, { input: [height, width, channels], classes: 10 });
}

// A step holds the thread for seconds; the runner's messages get through between steps.
afterEach(() => new Promise((resolve) => setTimeout(resolve, 1)));

describe.each(readFile("imagenet") as Run[])("$name", (run) => {
  const { name, optimizer, step } = run;
  const { name: methodName, ...options } = run.method;
  const [network, method] = [networkOf(run), createMethod(methodName, options)];

  it("has the parameters and statistics of the golden network", () => {
    const shapes = (specs: readonly { name: string; shape: readonly number[] }[]) =>
      Object.fromEntries(specs.map((spec) => [spec.name, spec.shape]));
    const declared = describeNetwork(network, method);
    const { parameters, statistics } = step.start;
    expect(shapes(declared.parameters)).toEqual(mapRecord(parameters, ({ shape }) => shape));
    expect(shapes(declared.statistics)).toEqual(mapRecord(statistics, ({ shape }) => shape));
  });

  it("computes what PyTorch does", () => {
    const [expected, exact] = [expectedOf(step), isExact(run)];
    const results = resultsOf(
      { network, method, optimizer },
      `${name}/${step.step}`,
      step,
      Object.keys(expected),
      exact,
    );
    for (const [what, summary] of Object.entries(expected)) {
      expectClose(results[what], summary, limits[exact ? "exact" : "plain"], what);
    }
  });
});
