/**
 * Training steps of ResNets and VGG-16 against PyTorch in double (tools/golden/README.md): the graph,
 * evaluated op by op in double. In f32 some value of so deep a network always falls
 * on the other side of a rounding: what the kernels compute is compared block by block (golden-blocks.test.ts).
 */
import { afterEach, describe, expect, it } from "vitest";
import { valueAndGradients } from "../compiler/autodiff.js";
import { simplify } from "../compiler/simplify.js";
import { hostTarget } from "../runtime/target.js";
import type { Tensor, View } from "../graph/index.js";
import { evaluate, leaf, softmaxCrossEntropy } from "../graph/index.js";
import { topologicalOrder } from "../graph/order.js";
import { models } from "../models/index.js";
import type { Network, Tensors } from "../nn/index.js";
import { apply, constrainWeights, describe as describeNetwork } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import { createMethod } from "../quantization/index.js";
import { updated } from "./step.js";
import type { GoldenRun, GoldenStep, Specs, Summary } from "./golden.test.fixture.js";
import { expectClose, makeAll, mapRecord, optimizerOf, read } from "./golden.test.fixture.js";

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

/** Every result of a step, by a name that says what it is, with what PyTorch has there. */
function expectedOf(golden: GoldenStep): Record<string, Summary> {
  const named = (what: string, summaries: Record<string, Summary>) =>
    Object.entries(summaries).map(([name, summary]) => [`${what} ${name}`, summary] as const);
  const { statistics, parameters, own } = golden.updated;
  return Object.fromEntries([
    ["loss", { values: [golden.loss], max: golden.loss, sum: -golden.loss }],
    ["logits", golden.logits],
    ["logits in evaluation", golden.evaluationLogits],
    ...named("latent", golden.latent),
    ...named("gradient", golden.gradients),
    ...named("statistic", statistics),
    ...named("updated", parameters),
    ...Object.entries(own).flatMap(([slot, summaries]) => named(slot, summaries)),
  ]);
}

interface Trained {
  readonly network: Network;
  readonly method: Method;
  readonly optimizer: GoldenRun["optimizer"];
}

/** Our values of the names `wanted`, evaluated in double. */
function resultsOf(
  { network, method, optimizer }: Trained,
  prefix: string,
  golden: GoldenStep,
  wanted: readonly string[],
  exact: boolean,
): Record<string, View["data"]> {
  // By name: the compiler's pass makes leaves anew.
  const bindings = new Map<string, View>();
  const bind = (name: string, { data, shape }: View): Tensor => {
    const whole = data instanceof Int32Array;
    bindings.set(name, { data: whole ? data : Float64Array.from(data), shape });
    return leaf(name, shape, whole ? "i32" : "f32");
  };
  const made = (label: string, specs: Specs) =>
    mapRecord(makeAll(label, specs), (value, name) => bind(`${label}/${name}`, value));
  const { start } = golden;
  const { images } = made(prefix, start.inputs);
  const labels = bind("labels", { data: Int32Array.from(golden.labels), shape: [golden.labels.length] });
  const statistics = made(prefix, start.statistics);
  const parameters = constrainWeights(network, method, made(prefix, start.parameters));
  const { value, auxiliary, gradients } = valueAndGradients((p: Tensors) => {
    const result = apply(network, method, { parameters: p, statistics }, images, { training: true });
    return { value: softmaxCrossEntropy(result.logits, labels), auxiliary: result };
  }, parameters);
  const evaluation = apply(network, method, { parameters, statistics }, images, { training: false });

  const outputs: Record<string, Tensor> = {
    loss: value,
    logits: auxiliary.logits,
    "logits in evaluation": evaluation.logits,
  };
  const give = (what: string, tensors: Tensors, names: object = tensors) => {
    for (const name of Object.keys(names)) outputs[`${what} ${name}`] = tensors[name];
  };
  give("latent", parameters, golden.latent);
  give("gradient", gradients);
  give("statistic", auxiliary.statistics);
  if (optimizer.kind !== null) {
    const rule = optimizerOf(optimizer);
    const { parameters: after, own } = updated(
      { network, method, optimizer: rule },
      parameters,
      gradients,
      mapRecord(start.own, (specs, slot) => made(`${prefix}/${slot}`, specs)),
      mapRecord(rule.scalars(golden.step, rule.learningRate), (x, name) =>
        bind(name, { data: Float64Array.of(x), shape: [] }),
      ),
    );
    give("updated", after);
    for (const [slot, tensors] of Object.entries(own)) give(slot, tensors);
  }
  const chosen = Object.fromEntries(wanted.map((name) => [name, outputs[name]]));
  const simplified = exact ? simplify(chosen, hostTarget) : chosen;
  const order = topologicalOrder(Object.values(simplified));
  const leaves = order.filter(({ op }) => op === "leaf");
  const bound = new Map(leaves.map((tensor) => [tensor, bindings.get(String(tensor.attributes.name))!]));
  const values = evaluate(Object.values(simplified), bound, "f64");
  return Object.fromEntries(Object.keys(simplified).map((name, i) => [name, values[i].data]));
}

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
