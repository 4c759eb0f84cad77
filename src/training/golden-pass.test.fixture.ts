/** A network's pass in training and in evaluation, as golden files have it, compiled and compared. */
import { expect } from "vitest";
import { valueAndGradients } from "../compiler/autodiff.js";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import type { HostArray, Tensor } from "../graph/index.js";
import { array, softmaxCrossEntropy } from "../graph/index.js";
import type { Network, Tensors } from "../nn/index.js";
import { apply, constrainWeights, describe } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { Executor } from "../runtime/executor.js";
import { createNativeExecutor, instructionSets } from "../runtime/native.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import type { GoldenPass, Values } from "./golden.test.fixture.js";
import { expectAllClose, expectClose, mapRecord } from "./golden.test.fixture.js";

export type Weights = { readonly parameters: Tensors; readonly statistics: Tensors };
export type Batch = { readonly images: Tensor; readonly labels: Tensor };

export interface Start {
  readonly weights: {
    readonly parameters: Record<string, HostArray>;
    readonly statistics: Record<string, HostArray>;
  };
  readonly batch: { readonly images: HostArray; readonly labels: HostArray };
}

/** What is compared of a step but its update; `parameters` as the step works with them. */
export interface Results {
  parameters: Record<string, Values>;
  loss: Values;
  logits: Values;
  evaluationLogits: Values;
  statistics: Record<string, Values>;
  gradients: Record<string, Values>;
}

/** Training and evaluation from the latent weights as the method constrains them. */
export function passes(
  network: Network,
  method: Method,
  { parameters: latent, statistics }: Weights,
  { images, labels }: Batch,
) {
  const parameters = constrainWeights(network, method, latent);
  const random = array(new Int32Array(2)); // the key of dropout's numbers
  const { value, auxiliary, gradients } = valueAndGradients((p: Tensors) => {
    const result = apply(network, method, { parameters: p, statistics }, images, { training: true, random });
    return { value: softmaxCrossEntropy(result.logits, labels), auxiliary: result };
  }, parameters);
  const { logits } = apply(network, method, { parameters, statistics }, images, { training: false });
  return { parameters, loss: value, ...auxiliary, evaluationLogits: logits, gradients };
}

/** Every kernel of this machine: the reference, WebAssembly, and each instruction set of its CPU. */
export const everyExecutor: readonly Executor[] = [
  createReferenceExecutor(),
  chooseExecutor({ executor: "wasm" }).executor,
  ...instructionSets().map((instructionSet) => createNativeExecutor({ threads: 2, instructionSet })),
];

/** Checks that a network declares the parameters and statistics that a golden pass starts from. */
export function expectDeclared(
  network: Network,
  method: Method,
  start: Pick<GoldenPass["start"], "parameters" | "statistics">,
): void {
  const shapes = (specs: readonly { name: string; shape: readonly number[] }[]) =>
    Object.fromEntries(specs.map((spec) => [spec.name, spec.shape]));
  const declared = describe(network, method);
  expect(shapes(declared.parameters)).toEqual(mapRecord(start.parameters, (spec) => spec.shape));
  expect(shapes(declared.statistics)).toEqual(mapRecord(start.statistics, (spec) => spec.shape));
}

export const dataOf = (record: Readonly<Record<string, HostArray>>) =>
  mapRecord(record, (value) => value.data);

/** The compiled program in f32, traced once for all steps. */
export function compiledRun(
  network: Network,
  method: Method,
  executor: Executor,
): (start: Start) => Promise<Results> {
  const run = compile((state: Weights, inputs: Batch) => passes(network, method, state, inputs), {
    executor,
  });
  return async ({ weights, batch }) => {
    const result = await run(createState<Weights>(weights, { executor }), batch);
    return {
      parameters: dataOf(result.parameters),
      loss: result.loss.data,
      logits: result.logits.data,
      evaluationLogits: result.evaluationLogits.data,
      statistics: dataOf(result.statistics),
      gradients: dataOf(result.gradients),
    };
  };
}

export function expectStep(golden: GoldenPass, result: Results, bound: number): void {
  for (const [name, summary] of Object.entries(golden.latent)) {
    expectClose(result.parameters[name], summary, bound, name);
  }
  expect(Math.abs(result.loss[0] - golden.loss), "loss").toBeLessThanOrEqual(bound * golden.loss);
  expectClose(result.logits, golden.logits, bound, "logits");
  expectClose(result.evaluationLogits, golden.evaluationLogits, bound, "logits in evaluation");
  expectAllClose(result.gradients, golden.gradients, bound, "gradient of");
  expectAllClose(result.statistics, golden.updated.statistics, bound, "statistic");
}
