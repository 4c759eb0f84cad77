/** DoReFa's quantizers at edge values, against PyTorch in double (tools/golden/README.md). */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../graph/index.js";
import { evaluate, gradients, leaf, mul, relu, sum } from "../graph/index.js";
import { dorefa } from "./dorefa.js";
import type { LayerInfo } from "./method.js";

interface Case {
  kind: "weights" | "activations";
  name: string;
  bits: number;
  values: number[];
  upstream: number[];
  output: number[];
  gradient: number[];
}

const file = new URL("../../tools/golden/data/quantizers.json.gz", import.meta.url);
const cases = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Case[];

const layer: LayerInfo = { name: "fc", kind: "linear", index: 1, count: 3, shape: [1, 1] };

/** A float activation is a ReLU's result; the method leaves that to the network. */
function quantize({ kind, bits }: Case, x: Tensor): Tensor {
  if (kind === "weights") return dorefa({ weightBits: bits, activationBits: 32 }).weights(x, layer, {});
  const method = dorefa({ weightBits: 32, activationBits: bits });
  return method.activations(bits === 32 ? relu(x) : x, layer, {});
}

/** Output and gradient for the upstream gradient, as the oracle computes them. */
function run(golden: Case, precision: "f32" | "f64"): [ArrayLike<number>, ArrayLike<number>] {
  const shape = [golden.values.length];
  const [x, upstream] = [leaf("x", shape), leaf("upstream", shape)];
  const output = quantize(golden, x);
  const [gradient] = gradients(sum(mul(output, upstream)), [x]);
  const bind = (values: number[]) => ({ data: Float64Array.from(values), shape });
  const bindings = new Map([
    [x, bind(golden.values)],
    [upstream, bind(golden.upstream)],
  ]);
  const [{ data: outputs }, { data: gradientValues }] = evaluate([output, gradient], bindings, precision);
  return [outputs, gradientValues];
}

/** max |a - b| / max |b|; without a number to divide by, a must be b. */
function relativeError(actual: ArrayLike<number>, golden: number[]): number {
  const largest = Math.max(...golden.map(Math.abs)) || Number.MIN_VALUE;
  return Math.max(...golden.map((value, i) => Math.abs(actual[i] - value) / largest));
}

describe("DoReFa's quantizers equal the golden values", () => {
  it.each(cases)("$kind, $bits bits, $name", (golden) => {
    for (const [precision, bound] of [
      ["f64", 1e-13],
      ["f32", 1e-6],
    ] as const) {
      const [output, gradient] = run(golden, precision);
      expect(relativeError(output, golden.output), `output in ${precision}`).toBeLessThanOrEqual(bound);
      expect(relativeError(gradient, golden.gradient), `gradient in ${precision}`).toBeLessThanOrEqual(bound);
    }
  });
});
