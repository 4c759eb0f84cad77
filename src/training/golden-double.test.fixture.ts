/** Whole steps in double, our graph evaluated op by op: every result that a golden step has, and ours of the same names. */
import { valueAndGradients } from "../compiler/autodiff.js";
import { simplify } from "../compiler/simplify.js";
import { hostTarget } from "../runtime/target.js";
import type { Tensor, View } from "../graph/index.js";
import { evaluate, leaf, softmaxCrossEntropy } from "../graph/index.js";
import { topologicalOrder } from "../graph/order.js";
import type { Network, Tensors } from "../nn/index.js";
import { apply, constrainWeights } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import { updated } from "./step.js";
import type { GoldenRun, GoldenStep, Specs, Summary } from "./golden.test.fixture.js";
import { makeAll, mapRecord, optimizerOf } from "./golden.test.fixture.js";

/** Every result of a step, by a name that says what it is, with what PyTorch has there. */
export function expectedOf(golden: GoldenStep): Record<string, Summary> {
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

export interface Trained {
  readonly network: Network;
  readonly method: Method;
  readonly optimizer: GoldenRun["optimizer"];
}

/**
 * Our values of the names `wanted`, evaluated in double.
 *
 * @param exact sums of products of codes that are equal, or 0, are so: the compiler's pass makes integers of them, with
 *   constants in f32.
 */
export function resultsOf(
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
  const random = bind("random", { data: new Int32Array(2), shape: [2] });
  const statistics = made(prefix, start.statistics);
  const parameters = constrainWeights(network, method, made(prefix, start.parameters));
  const { value, auxiliary, gradients } = valueAndGradients((p: Tensors) => {
    const result = apply(network, method, { parameters: p, statistics }, images, { training: true, random });
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
