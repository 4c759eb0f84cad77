// The engine below the training loop: a function on tensors, its gradients, and a compiled step.
import { compile, createState, matmul, mean, mul, square, sub, valueAndGradients } from "fewbit";

/** @typedef {import("fewbit").Tensor} Tensor */

const step = compile(
  (
    /** @type {{ w: Tensor }} */ state,
    /** @type {{ x: Tensor, y: Tensor, rate: Tensor }} */ { x, y, rate },
  ) => {
    const { value, gradients } = valueAndGradients((p) => mean(square(sub(matmul(x, p.w), y))), state);
    return { state: { w: sub(state.w, mul(rate, gradients.w)) }, loss: value };
  },
);

let state = createState({ w: { data: new Float32Array(2), shape: [2, 1] } });
const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1, 2, 1), shape: [4, 2] };
const y = { data: Float32Array.of(3, -1, 2, 5), shape: [4, 1] }; // y = 3·x0 - x1
let loss = NaN;
for (let i = 0; i < 200; i++) {
  const result = await step(state, { x, y, rate: 0.1 });
  state = result.state;
  loss = result.loss.data[0];
}
console.log(
  `w = ${[...(await state.read()).w.data].map((v) => v.toFixed(3)).join(", ")}, loss ${loss.toExponential(1)}`,
);
