/** LeNet-5's training steps against PyTorch in double: tools/golden/README.md says how the files come about. */
import { describe, expect, it } from "vitest";
import { createState } from "../compiler/state.js";
import type { HostArray, Tensor, View } from "../graph/index.js";
import { evaluate, leaf } from "../graph/index.js";
import { lenet5 } from "../models/lenet5.js";
import { describe as describeNetwork } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { createMethod } from "../quantization/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { Executor } from "../runtime/executor.js";
import { createNativeExecutor, instructionSets } from "../runtime/native.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import type { GoldenStep, Summaries, Values } from "./golden.test.fixture.js";
import {
  expectAllClose,
  expectKeptClose,
  kept,
  makeAll,
  makeImages,
  mapRecord,
  optimizerOf,
  read,
} from "./golden.test.fixture.js";
import type { Results, Start, Weights } from "./golden-pass.test.fixture.js";
import { compiledRun, dataOf, expectStep, passes } from "./golden-pass.test.fixture.js";
import type { TrainingTensors } from "./step.js";
import { compileStart, compileStep, updated } from "./step.js";

const runs = [
  "baseline",
  ...["dorefa-1-2", "dorefa-2-2", "dorefa-8-8", "dorefa-1-1-redbit", "dorefa-2-2-redbit"],
  ...["qnn-1-1", "qnn-1-1-redbit", "qnn-2-2", "qnn-2-2-redbit", "qnn-8-8", "qnn-1-32", "qnn-32-32"],
  ...["xnor-1-1", "xnor-1-1-redbit", "xnor-1-1-scaled", "xnor-1-32", "xnor-1-32-redbit"],
  ...["twn-2-32", "twn-2-32-redbit", "ttq-2-32", "ttq-2-32-redbit"],
];

function startOf(prefix: string, { start, labels }: GoldenStep): Start {
  return {
    weights: {
      parameters: makeAll(prefix, start.parameters),
      statistics: makeAll(prefix, start.statistics),
    },
    batch: {
      images: makeImages(prefix, start.inputs),
      labels: { data: Int32Array.from(labels), shape: [labels.length] },
    },
  };
}

/** The graph, op by op, in double: agreement here is agreement about what is computed. */
function runGraph(method: Method, { weights, batch }: Start): Results {
  const bindings = new Map<Tensor, View>();
  const bound = ({ data, shape }: HostArray, name: string): Tensor => {
    const tensor = leaf(name, shape, data instanceof Int32Array ? "i32" : "f32");
    bindings.set(tensor, { data: data instanceof Int32Array ? data : Float64Array.from(data), shape });
    return tensor;
  };
  const tensors = {
    parameters: mapRecord(weights.parameters, bound),
    statistics: mapRecord(weights.statistics, bound),
  };
  const inputs = { images: bound(batch.images, "images"), labels: bound(batch.labels, "labels") };
  const { parameters, loss, logits, evaluationLogits, statistics, gradients } = passes(
    lenet5,
    method,
    tensors,
    inputs,
  );
  const records = [parameters, statistics, gradients];
  const outputs = [loss, logits, evaluationLogits, ...records.flatMap((record) => Object.values(record))];
  const values = evaluate(outputs, bindings, "f64").map((view) => view.data);
  const next = () => values.shift()!;
  return {
    loss: next(),
    logits: next(),
    evaluationLogits: next(),
    parameters: mapRecord(parameters, next),
    statistics: mapRecord(statistics, next),
    gradients: mapRecord(gradients, next),
  };
}

// --- the update ----------------------------------------------------------------------------------

/** The update of the kept elements, with the golden gradient, in double and as f32. */
function expectUpdate(prefix: string, golden: GoldenStep, optimizer: Optimizer, method: Method): void {
  const pick = ({ data }: HostArray, name: string) =>
    Float64Array.from(kept(data.length, golden.gradients[name].values.length), (i) => data[i]);
  const parameters = {
    ...mapRecord(makeAll(prefix, golden.start.parameters), pick),
    ...mapRecord(golden.latent, ({ values }) => Float64Array.from(values)),
  };
  const own = mapRecord(golden.start.own, (specs, slot) =>
    mapRecord(makeAll(`${prefix}/${slot}`, specs), pick),
  );
  const bindings = new Map<Tensor, View>();
  const bound = (values: Values, name: string): Tensor => {
    const shape = [values.length];
    const tensor = leaf(name, shape);
    bindings.set(tensor, { data: Float64Array.from(values), shape });
    return tensor;
  };
  const scalars = mapRecord(optimizer.scalars(golden.step, optimizer.learningRate), (value, name) => {
    const tensor = leaf(name, []);
    bindings.set(tensor, { data: Float64Array.of(value), shape: [] });
    return tensor;
  });
  const gradients = mapRecord(golden.gradients, ({ values }, name) => bound(values, `gradient ${name}`));
  const after = updated(
    { network: lenet5, method, optimizer },
    mapRecord(parameters, bound),
    gradients,
    mapRecord(own, (values, slot) => mapRecord(values, (v, name) => bound(v, `${slot} ${name}`))),
    scalars,
  );
  const results = { parameters: after.parameters, ...after.own };
  const expected: Record<string, Summaries> = {
    parameters: golden.updated.parameters,
    ...golden.updated.own,
  };
  expect(Object.keys(results).sort()).toEqual(Object.keys(expected).sort());
  for (const [slot, summaries] of Object.entries(expected)) {
    const names = Object.keys(summaries);
    const outputs = names.map((name) => results[slot as keyof typeof results][name]);
    for (const [precision, limit] of [
      ["f64", 1e-12],
      ["f32", 1e-5],
    ] as const) {
      evaluate(outputs, bindings, precision).forEach(({ data }, i) => {
        expectKeptClose(data, summaries[names[i]], limit, `${slot} ${names[i]} in ${precision}`);
      });
    }
  }
}

/**
 * The step that a training runs, from its start to the weights that the next step works with. Not the
 * first one: without moments Adam's update is the sign of a gradient, which may be as small as its error.
 */
function wholeRun(method: Method, optimizer: Optimizer, executor: Executor) {
  const begin = compileStart(lenet5, method, executor);
  const step = compileStep(lenet5, method, optimizer, executor);
  return async (prefix: string, golden: GoldenStep) => {
    const { weights, batch } = startOf(prefix, golden);
    const { parameters } = weights;
    const { state } = await begin(createState<Pick<Weights, "parameters">>({ parameters }, { executor }), {});
    const own = mapRecord(optimizer.initial(parameters), (zeros, slot) => ({
      ...zeros,
      ...makeAll(`${prefix}/${slot}`, golden.start.own[slot]),
    }));
    const result = await step(
      createState<TrainingTensors>({ ...weights, ...(await state.read()), optimizer: own }, { executor }),
      {
        ...batch,
        random: { data: new Int32Array(2), shape: [2] },
        scalars: optimizer.scalars(golden.step, optimizer.learningRate),
      },
    );
    return { loss: result.loss.data[0], parameters: dataOf((await result.state.read()).parameters) };
  };
}

describe.each(runs)("LeNet-5, %s", (name) => {
  const run = read(`lenet5-${name}`);
  const { name: methodName, ...options } = run.method;
  const method = createMethod(methodName, options);
  const optimizer = optimizerOf(run.optimizer);
  const steps = run.steps.map((golden) => {
    const prefix = `${name}/${golden.step}`;
    return { step: golden.step, golden, prefix, start: startOf(prefix, golden) };
  });

  it("has the parameters and statistics of the golden network", () => {
    const shapes = (specs: readonly { name: string; shape: readonly number[] }[]) =>
      Object.fromEntries(specs.map((spec) => [spec.name, spec.shape]));
    const declared = describeNetwork(lenet5, method);
    const { parameters, statistics } = run.steps[0].start;
    expect(shapes(declared.parameters)).toEqual(mapRecord(parameters, ({ shape }) => shape));
    expect(shapes(declared.statistics)).toEqual(mapRecord(statistics, ({ shape }) => shape));
  });

  it.each(steps)("step $step: the graph in double is PyTorch's", ({ golden, start }) => {
    expectStep(golden, runGraph(method, start), 1e-10);
  });

  // Conformance tests compare the executors with one another; here each shows once that it is right.
  const [first] = steps;
  it("step 1: the reference executor", async () => {
    const compiled = compiledRun(lenet5, method, createReferenceExecutor());
    expectStep(first.golden, await compiled(first.start), 1e-5);
  });

  it("step 1: the WebAssembly executor", async () => {
    const compiled = compiledRun(lenet5, method, chooseExecutor({ executor: "wasm" }).executor);
    expectStep(first.golden, await compiled(first.start), 1e-5);
  });

  it.each(instructionSets())("step 1: the native executor, %s", async (instructionSet) => {
    const compiled = compiledRun(lenet5, method, createNativeExecutor({ threads: 2, instructionSet }));
    expectStep(first.golden, await compiled(first.start), 1e-5);
  });

  const executor = chooseExecutor({ threads: 2 }).executor;
  const compiled = compiledRun(lenet5, method, executor);
  it.each(steps.slice(1))("step $step: compiled", async ({ golden, start }) => {
    expectStep(golden, await compiled(start), 1e-5);
  });

  it.each(steps)("step $step: the update", ({ golden, prefix }) => {
    expectUpdate(prefix, golden, optimizer, method);
  });

  const whole = wholeRun(method, optimizer, executor);
  it.each(steps.slice(1))("step $step: the whole step", async ({ golden, prefix }) => {
    const { loss, parameters } = await whole(prefix, golden);
    const { updated } = golden;
    expect(Math.abs(loss - golden.loss), "loss").toBeLessThanOrEqual(1e-5 * golden.loss);
    expectAllClose(parameters, { ...updated.parameters, ...updated.latent }, 1e-5, "updated");
  });
});
