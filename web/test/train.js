// 20 training steps of LeNet-5, for a browser's worker and for Node alike.
import {
  apply,
  compile,
  createState,
  createWasmExecutor,
  describe,
  initialise,
  models,
  optim,
  quant,
  softmaxCrossEntropy,
  valueAndGradients,
} from "../../dist/web.js";

const batchSize = 32;
const steps = 20;

/** Pixels and labels from a linear congruential generator; each class has a bright row of its own. */
function digits() {
  let word = 1;
  const draw = () => (word = (Math.imul(word, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const labels = Int32Array.from({ length: batchSize }, () => Math.floor(draw() * 10));
  const images = Float32Array.from({ length: batchSize * 784 }, (_, i) => {
    const row = Math.floor((i % 784) / 28);
    return draw() + (Math.floor(row / 2) - 2 === labels[Math.floor(i / 784)] ? 1 : 0);
  });
  return { images, labels };
}

/** SHA-256 of the state's arrays, in order. */
async function hashOf(state) {
  const arrays = [];
  const collect = (tree) => (tree.data ? arrays.push(tree.data) : Object.values(tree).forEach(collect));
  collect(await state.read());
  const bytes = await new Blob(arrays).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function train(module, method) {
  const executor = createWasmExecutor(module);
  const optimizer = optim.adam({ learningRate: 0.01 });
  const specs = describe(models.lenet5, method);
  const parameters = initialise(specs.parameters, 1);
  let state = createState(
    { parameters, statistics: initialise(specs.statistics, 1), optimizer: optimizer.initial(parameters) },
    { executor },
  );
  const step = compile(
    (s, { images, labels, scalars }) => {
      const { value, auxiliary, gradients } = valueAndGradients((p) => {
        const weights = { parameters: p, statistics: s.statistics };
        const { logits, statistics } = apply(models.lenet5, method, weights, images, { training: true });
        return { value: softmaxCrossEntropy(logits, labels), auxiliary: statistics };
      }, s.parameters);
      const { parameters: next, own } = optimizer.update(s.parameters, gradients, s.optimizer, scalars);
      return { state: { parameters: next, statistics: auxiliary, optimizer: own }, loss: value };
    },
    { executor },
  );

  const { images, labels } = digits();
  const losses = [];
  for (let i = 1; i <= steps; i++) {
    const result = await step(state, {
      images: { data: images, shape: [batchSize, 28, 28, 1] },
      labels: { data: labels, shape: [batchSize] },
      scalars: optimizer.scalars(i, 0.01),
    });
    state = result.state;
    losses.push(result.loss.data[0]);
  }
  return { losses, hash: await hashOf(state) };
}

/** The losses of all steps and the final state's hash, of a float and of a 2-bit network. */
export async function trainAll(module) {
  return {
    float: await train(module, quant.baseline()),
    dorefa: await train(module, quant.dorefa({ weightBits: 2, activationBits: 2 })),
  };
}
