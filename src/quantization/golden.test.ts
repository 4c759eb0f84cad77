/** The quantizers of every method at edge values, against PyTorch in double (tools/golden/README.md). */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../graph/index.js";
import { evaluate, gradients, leaf, mul, sum } from "../graph/index.js";
import type { LayerInfo, Method } from "./method.js";
import { createMethod } from "./registry.js";

interface Prepared {
  name: string;
  shape: number[];
  values: number[];
  output: number[];
}
interface Case extends Prepared {
  method: string;
  preset: string;
  kind: "weights" | "activations";
  bits: number;
  upstream: number[];
  gradient: number[];
  /** TTQ's W_p and W_n, and their gradients. */
  own?: number[];
  ownGradients?: number[];
}

const file = new URL("../../tools/golden/data/quantizers.json.gz", import.meta.url);
const golden = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
  quantizers: Case[];
  prepare: Prepared[];
};

const precisions = [
  ["f64", 1e-13],
  ["f32", 1e-6],
] as const;

/** A layer between the first and the last. */
const layerOf = (shape: number[]): LayerInfo => ({
  name: "layer",
  kind: shape.length === 4 ? "convolution" : "linear",
  index: 1,
  count: 3,
  shape,
});

const bind = (values: number[], shape: number[]) => ({ data: Float64Array.from(values), shape });

function methodOf({ method, preset, kind, bits }: Case): Method {
  const [weightBits, activationBits] = kind === "weights" ? [bits, 32] : [32, bits];
  return createMethod(method, { weightBits, activationBits, preset });
}

/** QNN's quantizer takes what its Hardtanh has limited; the pair is what it defines. */
function quantize(method: Method, kind: Case["kind"], x: Tensor, layer: LayerInfo, own: Tensor[]): Tensor {
  if (kind === "weights") return method.weights(x, layer, { positive: own[0], negative: own[1] });
  return method.activations(method.name === "qnn" ? method.nonlinearity!(x, layer) : x, layer, {});
}

/** Output, and the gradients for the upstream gradient, as the oracle computes them. */
function run(example: Case, precision: "f32" | "f64"): ArrayLike<number>[] {
  const { shape, values, upstream, own = [] } = example;
  const x = leaf("x", shape);
  const g = leaf("upstream", shape);
  const scalars = own.map((_, i) => leaf(`own ${i}`, []));
  const output = quantize(methodOf(example), example.kind, x, layerOf(shape), scalars);
  const results = [output, ...gradients(sum(mul(output, g)), [x, ...scalars])];
  const bindings = new Map([
    [x, bind(values, shape)],
    [g, bind(upstream, shape)],
    ...scalars.map((scalar, i) => [scalar, bind([own[i]], [])] as const),
  ]);
  return evaluate(results, bindings, precision).map(({ data }) => data);
}

/** The largest over channels (the last axis) of max |a - b| / max |b|; where b is all zero, a must be too. */
function relativeError(actual: ArrayLike<number>, expected: number[], channels: number): number {
  const errors = Array.from({ length: channels }, (_, channel) => {
    const values = expected.filter((_, i) => i % channels === channel);
    const largest = Math.max(...values.map(Math.abs)) || Number.MIN_VALUE;
    return Math.max(...values.map((value, i) => Math.abs(actual[i * channels + channel] - value) / largest));
  });
  return Math.max(...errors);
}

describe("the quantizers equal the golden values", () => {
  it.each(golden.quantizers)("$method $preset, $kind, $bits bits, $name", (example) => {
    const { shape, output, gradient, ownGradients = [] } = example;
    const channels = shape.at(-1)!;
    for (const [precision, bound] of precisions) {
      const [outputs, gradientOfX, ...ownActual] = run(example, precision);
      expect(relativeError(outputs, output, channels), `output, ${precision}`).toBeLessThanOrEqual(bound);
      expect(relativeError(gradientOfX, gradient, channels), `gradient, ${precision}`).toBeLessThanOrEqual(
        bound,
      );
      ownGradients.forEach((value, i) => {
        expect(
          relativeError(ownActual[i], [value], 1),
          `own gradient ${i}, ${precision}`,
        ).toBeLessThanOrEqual(bound);
      });
    }
  });
});

describe("XNOR-Net's latent weights are centred and clamped as the golden ones", () => {
  it.each(golden.prepare)("$name", ({ shape, values, output }) => {
    const method = createMethod("xnor", { weightBits: 1, activationBits: 1 });
    const w = leaf("w", shape);
    const centred = method.constrain!(w, layerOf(shape));
    for (const [precision, bound] of precisions) {
      const [{ data }] = evaluate([centred], new Map([[w, bind(values, shape)]]), precision);
      output.forEach((value, i) => expect(Math.abs(data[i] - value), precision).toBeLessThanOrEqual(bound));
    }
  });
});
