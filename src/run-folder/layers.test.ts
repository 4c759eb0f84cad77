import { expect, test } from "vitest";
import { layerLine, signsOf } from "./layers.js";

const array = (...values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });

test("a line says what became of a layer's weights", () => {
  const before = signsOf(array(1, 1, -1, -1, 0, -0, 1, 1, 1, -1));
  const latent = array(1, -1, -1, 1, -0.5, 0, 1, 1, 1, 1);
  const quantized = array(0.5, -0.5, -0.5, 0.5, 0, 0, 0.5, 0.5, 0.5, 0.5);
  const line = layerLine(3, { name: "conv2", bits: 2, latent, quantized }, before);
  expect(line).toMatchObject({ epoch: 3, layer: "conv2", levels: 3, sparsity: 0.2, signFlips: 0.4 });
  const counts = Array<number>(32).fill(0);
  [counts[0], counts[8], counts[16], counts[31]] = [2, 1, 1, 6];
  expect(line.histogram).toEqual({ lowest: -1, highest: 1, counts });
});

test("full precision has no levels, and equal weights fall into the first bin", () => {
  const weights = array(...Array<number>(9).fill(0.25));
  const line = layerLine(1, { name: "fc1", bits: 32, latent: weights, quantized: weights }, signsOf(weights));
  expect(line).toMatchObject({ levels: null, sparsity: 0, signFlips: 0 });
  expect(line.histogram).toEqual({ lowest: 0.25, highest: 0.25, counts: [9, ...Array<number>(31).fill(0)] });
});
