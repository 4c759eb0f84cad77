/** Checks a network before its first step for layers that have nothing to learn from. */
import type { State } from "../compiler/state.js";
import { evaluationBatches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { sourceOf, viewOf } from "../data/source.js";
import type { LayerSummary, Network } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import { weightName } from "../run-folder/index.js";
import type { TrainingTensors } from "./step.js";
import type { compileQuantizedWeights } from "./step.js";
import { compileSpreads } from "./step.js";

export interface Start {
  readonly model: Network;
  readonly method: Method;
  readonly data: Dataset;
  readonly layers: readonly LayerSummary[];
  readonly executor: Executor;
  readonly state: State<TrainingTensors>;
  readonly quantizedWeights: ReturnType<typeof compileQuantizedWeights>;
}

/** The number of images that layers are tried on: enough to differ, few compared with a batch. */
const most = 16;

/** Returns one warning per problem. */
export async function warningsAtStart(start: Start): Promise<string[]> {
  const [weights, inputs] = [await constantWeights(start), await constantInputs(start)];
  return [
    ...(weights.length === 0
      ? []
      : [
          `the quantized weights are all one value at the start in ${inShort(weights)}, so nothing may be learned there; ` +
            "take more bits, another preset, or wider initial weights",
        ]),
    ...(inputs.length === 0
      ? []
      : [
          `the quantized input is one value everywhere at the start in ${inShort(inputs)}, so nothing may be learned before it; ` +
            "build with net.block, which has the parts of a layer in the method's order, or take more bits",
        ]),
  ];
}

/** The layers whose weights the method makes all equal. */
async function constantWeights({ layers, state, quantizedWeights }: Start): Promise<string[]> {
  const quantizing = layers.filter(({ weightBits }) => weightBits < 32);
  if (quantizing.length === 0) return [];
  const { weights } = await quantizedWeights(state, {});
  return quantizing
    .map(({ name }) => name)
    .filter((name) => {
      const { data } = weights[weightName(name)];
      return data.length > 1 && data.every((value) => value === data[0]);
    });
}

/** The layers whose input the method makes one value over some training images, so that no gradient comes from them. */
async function constantInputs({ model, method, data, layers, state, executor }: Start): Promise<string[]> {
  if (layers.every(({ activationBits }) => activationBits === 32)) return [];
  const images = await someImages(data);
  if (images.shape[0] === 0) return []; // all of them are damaged
  const measure = compileSpreads(model, method, executor);
  const random = { data: new Int32Array(2), shape: [2] };
  const { spreads } = await measure(state, { images, random });
  return Object.keys(spreads).filter((name) => spreads[name].data[0] === 0);
}

/** Training images at equal distances, as the network takes them. */
async function someImages({ train, shape, mean, std }: Dataset) {
  const count = Math.min(most, train.count);
  const size = shape[0] * shape[1] * shape[2];
  const images = new Float32Array(count * size);
  const prepared = { shape, mean, std };
  const indices = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * train.count) / count));
  const batches = evaluationBatches(viewOf(sourceOf(train, shape), indices), prepared, count);
  const left = await batches.prepare(0, 0, images, new Int32Array(count));
  return { data: images.subarray(0, left * size), shape: [left, ...shape] };
}

/** A list of names, shortened: a deep network has too many for one line. */
function inShort(names: readonly string[]): string {
  const listed = 8;
  const rest = names.length > listed ? [`${names.length - listed} more layers`] : [];
  return [...names.slice(0, listed), ...rest].join(", ");
}
