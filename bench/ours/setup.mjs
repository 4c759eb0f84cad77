/** A step or an evaluation of ours as the benchmarks run it: network, method and bits, optimizer, batch. */
import { createState, describe, initialise, models, optim, quant } from "../../dist/index.js";
import { compileScores, compileStart, compileStep } from "../../dist/training/step.js";

export const methods = {
  baseline: () => quant.baseline(),
  dorefa: () => quant.dorefa({ weightBits: 2, activationBits: 2 }),
  qnn: () => quant.qnn({ weightBits: 1, activationBits: 1 }),
  xnor: () => quant.xnor({ weightBits: 1, activationBits: 1 }),
  twn: () => quant.twn({ weightBits: 2 }),
  ttq: () => quant.ttq({ weightBits: 2 }),
};

const optimizers = {
  lenet5: () => optim.adam({ learningRate: 0.01 }),
  cifar: () => optim.sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 1e-4 }),
};

/** A network, for images of another side and another number of classes where they are given. */
export function modelOf({ network, side, classes = models[network].classes }) {
  const model = models[network];
  return { ...model, classes, input: side === undefined ? model.input : [side, side, model.input[2]] };
}

/** A number in [0, 1) that looks like chance. */
function hash(i) {
  const x = Math.sin(i * 12.9898) * 43758.5453;
  return x - Math.floor(x);
}

/**
 * `run` does one step (or evaluates one batch) and gives its results; `program` is what it runs; `start`, before
 * the first step, puts the method's constraint on the initial weights, adds what is given by name, and gives them.
 *
 * @throws Error if gradients of bf16 are asked for and the Program has no such storage.
 */
export function makeStep(options) {
  const { network, method: methodName, batchSize, evaluate, gradients, executor } = options;
  const model = modelOf(options);
  const method = methods[methodName]();
  const optimizer = (optimizers[network] ?? optimizers.cifar)();
  const specs = describe(model, method);
  // Made anew for each use, so that no step's memory holds them.
  const parameters = () => options.parameters ?? initialise(specs.parameters, 1);
  const statistics = options.statistics ?? initialise(specs.statistics, 1);
  const length = batchSize * model.input.reduce((product, size) => product * size, 1);
  const images = Float32Array.from({ length }, (_, i) => 3.4 * (hash(i) - 0.5));
  const labels = Int32Array.from({ length: batchSize }, (_, i) => i % model.classes);
  const examples = {
    images: { data: images, shape: [batchSize, ...model.input] },
    labels: { data: labels, shape: [batchSize] },
  };

  if (evaluate) {
    const state = createState({ parameters: parameters(), statistics }, { executor });
    const scores = compileScores(model, method, executor);
    return {
      run: (nanoseconds) => scores(state, examples, nanoseconds),
      program: () => scores.program(state, examples),
    };
  }
  const initial = (start) => ({ parameters: start, statistics, optimizer: optimizer.initial(start) });
  let state = createState(initial(parameters()), { executor });
  const step = compileStep(model, method, optimizer, executor, gradients);
  let count = 0;
  const batch = () => ({
    ...examples,
    random: { data: Int32Array.of(1, count), shape: [2] },
    scalars: optimizer.scalars(count + 1, optimizer.learningRate),
  });
  return {
    async start(added = () => 0) {
      const constrain = compileStart(model, method, executor);
      const constrained = await constrain(createState({ parameters: parameters() }, { executor }), {});
      const start = (await constrained.state.read()).parameters;
      for (const [name, { data }] of Object.entries(start)) {
        for (let i = 0; i < data.length; i++) data[i] += added(name);
      }
      state = createState(initial(start), { executor });
      return start;
    },
    async run(nanoseconds) {
      const result = await step(state, batch(), nanoseconds);
      state = result.state;
      count++;
      return result;
    },
    program() {
      const program = step.program(state, batch());
      if (gradients === "bf16" && !JSON.stringify(program.instructions).includes('"bf16"')) {
        throw new Error("gradients bf16: this build's Program has none");
      }
      return program;
    },
  };
}
