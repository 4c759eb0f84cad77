// The worker: it fits a line with the WebAssembly kernels.
import {
  compile,
  createState,
  createWasmExecutor,
  fetchWasm,
  matmul,
  mean,
  mul,
  square,
  sub,
  valueAndGradients,
} from "fewbit/web";

/** @typedef {import("fewbit/web").Tensor} Tensor */

async function fit() {
  const executor = createWasmExecutor(await fetchWasm());
  const step = compile(
    (
      /** @type {{ w: Tensor }} */ state,
      /** @type {{ x: Tensor, y: Tensor, rate: Tensor }} */ { x, y, rate },
    ) => {
      const { value, gradients } = valueAndGradients((p) => mean(square(sub(matmul(x, p.w), y))), state);
      return { state: { w: sub(state.w, mul(rate, gradients.w)) }, loss: value };
    },
    { executor },
  );
  let state = createState({ w: { data: new Float32Array(2), shape: [2, 1] } }, { executor });
  const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1, 2, 1), shape: [4, 2] };
  const y = { data: Float32Array.of(3, -1, 2, 5), shape: [4, 1] }; // y = 3·x0 - x1
  for (let i = 0; i < 200; i++) ({ state } = await step(state, { x, y, rate: 0.1 }));
  return `w = ${[...(await state.read()).w.data].map((value) => value.toFixed(3)).join(", ")}`;
}

fit().then(postMessage, ({ message }) => postMessage(message));
