/**
 * The first pass, graph → graph: removes what has no effect on values, computes what is constant,
 * and makes equal expressions one node.
 *
 * Gradients were taken before, so the identities that exist for them (`stopGradient`,
 * `customGradient`) disappear here; `coded` becomes the product it stands for, and products of two
 * coded values become products of their codes.
 */
import { node } from "../graph/node.js";
import { ops } from "../graph/ops.js";
import { otherAxes } from "../graph/ops/reductions.js";
import { sameShape } from "../graph/ops/shapes.js";
import type { Attributes, OpName, Tensor } from "../graph/tensor.js";
import { topologicalOrder } from "../graph/order.js";
import type { Target } from "../runtime/target.js";
import type { Build } from "./integers.js";
import { asFloats, lowerConvolution, lowerFilterGradient, lowerInputGradient } from "./integers.js";
import { isExactInBf16, isRounded } from "./bf16.js";
import { isElementwise } from "./kinds.js";

/** @param target whose products decide whether gradients that are rounded to bf16 are multiplied as such. */
export function simplify(
  outputs: Readonly<Record<string, Tensor>>,
  { bf16Products }: Pick<Target, "bf16Products">,
): Record<string, Tensor> {
  const interned = new Map<string, Tensor>();
  const simplified = new Map<Tensor, Tensor>();
  /** Codes that a product of codes reads. */
  const multiplied = new Set<Tensor>();

  function intern(op: OpName, inputs: readonly Tensor[], attributes: Attributes): Tensor {
    const key = keyOf(op, inputs, attributes);
    const known = key === undefined ? undefined : interned.get(key);
    if (known !== undefined) return known;
    const made = node(op, inputs, attributes);
    if (key !== undefined) interned.set(key, made);
    return made;
  }

  const build: Build = { simple: (...parts) => rewrite(...parts), plain: (...parts) => intern(...parts) };

  /** The simplest node equal to op(inputs): peepholes first, then sharing. */
  function rewrite(op: OpName, inputs: readonly Tensor[], attributes: Attributes): Tensor {
    const [x, y] = inputs;
    switch (op) {
      case "stopGradient":
      case "customGradient":
        return x;
      case "codes":
        return intern("codes", [x.op === "codes" ? x.inputs[0] : x], attributes);
      case "coded":
        return rewrite("mul", [rewrite("codes", [x], { lattice: x.lattice }), y], {});
      case "convolution": {
        const product = lowerConvolution(inputs, attributes, node(op, inputs, attributes).shape, build);
        if (product === undefined) break;
        product.codes.forEach((codes) => multiplied.add(codes));
        return product.value;
      }
      case "convolutionInputGradient":
        if (bf16Products && isRounded(x)) {
          return (
            lowerInputGradient(inputs, attributes, build) ?? rewrite(op, [asFloats(x, build), y], attributes)
          );
        }
        if (multiplied.has(y)) return intern(op, [x, asFloats(y, build)], attributes);
        break;
      case "convolutionFilterGradient": {
        if (bf16Products && isRounded(y)) {
          const exact = lowerFilterGradient(inputs, attributes, isExactInBf16, build);
          return exact ?? rewrite(op, [x, asFloats(y, build)], attributes);
        }
        const product = lowerFilterGradient(inputs, attributes, (codes) => multiplied.has(codes), build);
        if (product === undefined) break;
        return product;
      }
      case "reshape": {
        if (x.op === "reshape") return rewrite("reshape", x.inputs, attributes);
        if (sameShape(x.shape, attributes.shape!)) return x;
        break;
      }
      case "transpose": {
        const permutation = attributes.permutation!;
        if (permutation.every((axis, i) => axis === i)) return x;
        if (x.op === "transpose") {
          const inner = x.attributes.permutation!;
          return rewrite("transpose", x.inputs, { permutation: permutation.map((axis) => inner[axis]) });
        }
        break;
      }
      case "broadcast": {
        if (sameShape(x.shape, attributes.shape!)) return x;
        if (x.op === "broadcast") {
          const axes = x.attributes.axes!.map((axis) => attributes.axes![axis]);
          return rewrite("broadcast", x.inputs, { shape: attributes.shape, axes });
        }
        break;
      }
      case "sum": {
        if (x.op === "neg") return rewrite("neg", [rewrite("sum", x.inputs, attributes)], {});
        const constant = constantFactor(x, attributes.axes!);
        if (constant === undefined) break;
        const { rest, factor } = constant;
        const { shape } = node(op, [rest], attributes);
        const folded = otherAxes(rest.shape.length, attributes.axes!);
        // Σ x·c = c·Σx where c does not vary along the sum; then Σ g and Σ g·c are one sum.
        const axes = factor.attributes.axes!.map((axis) => folded.indexOf(axis));
        const repeated = rewrite("broadcast", factor.inputs, { shape, axes });
        return rewrite("mul", [rewrite("sum", [rest], attributes), repeated], {});
      }
      case "slice":
        return slice(x, attributes.low!, attributes.high!);
      case "add":
        if (scalarOf(y) === 0) return x;
        if (scalarOf(x) === 0) return y;
        break;
      case "neg":
        if (x.op === "neg") return x.inputs[0];
        break;
      case "max":
      case "min":
        // max(a, max(a, b)): a rectified value that is clipped.
        if (y.op === op && y.inputs[0] === x) return y;
        break;
      case "mul":
        if (scalarOf(y) === 1) return x;
        if (scalarOf(x) === 1) return y;
        // (a · 2) · 3 = a · 6
        if (scalarOf(y) !== undefined && x.op === "mul" && scalarOf(x.inputs[1]) !== undefined) {
          return rewrite("mul", [x.inputs[0], rewrite("mul", [x.inputs[1], y], {})], {});
        }
        break;
      case "sub":
        if (scalarOf(y) === 0) return x;
        break;
      case "div": {
        const divisor = scalarOf(y);
        if (divisor === 1) return x;
        // A product with the reciprocal is faster, and exact where that is a power of two.
        if (divisor !== undefined && Number.isInteger(Math.log2(Math.abs(divisor)))) {
          return rewrite("mul", [x, fill(1 / divisor, x)], {});
        }
        if (y.op === "broadcast" && divisor === undefined) {
          const one = fill(1, y.inputs[0]);
          const reciprocal = rewrite("div", [one, y.inputs[0]], {});
          return rewrite("mul", [x, rewrite("broadcast", [reciprocal], y.attributes)], {});
        }
        break;
      }
      default:
        break;
    }
    if (isElementwise(op)) {
      const values = inputs.map(scalarOf);
      if (values.every((value) => value !== undefined)) return fill(evaluateScalar(op, values), inputs[0]);
      // What is rounded is kept as bf16 only where it is rounded last.
      const repeated = op === "bf16" && bf16Products ? undefined : repeatedAlike(inputs);
      if (repeated !== undefined) {
        const parts = inputs.map((input, i) => {
          return input.op === "broadcast" && values[i] === undefined
            ? input.inputs[0]
            : fill(values[i]!, repeated.inputs[0]);
        });
        return rewrite("broadcast", [rewrite(op, parts, attributes)], repeated.attributes);
      }
    }
    return intern(op, inputs, attributes);
  }

  /**
   * The gradients of a value's slices are padded and added, and then sliced again where that value
   * had several parts of its own (as the mean and variance of `moments`): that takes them apart.
   */
  function slice(x: Tensor, low: readonly number[], high: readonly number[]): Tensor {
    if (x.shape.every((extent, i) => low[i] === 0 && high[i] === extent)) return x;
    if (isElementwise(x.op) && x.inputs.some((input) => input.op === "pad")) {
      return rewrite(
        x.op,
        x.inputs.map((input) => slice(input, low, high)),
        x.attributes,
      );
    }
    if (x.op === "pad") {
      const [inner] = x.inputs;
      const starts = x.attributes.low!;
      if (low.some((start, i) => high[i] <= starts[i] || start >= starts[i] + inner.shape[i])) {
        return intern("broadcast", [intern("constant", [], { value: 0 })], {
          shape: low.map((start, i) => high[i] - start),
          axes: [],
        });
      }
      if (low.every((start, i) => start >= starts[i] && high[i] <= starts[i] + inner.shape[i])) {
        return slice(
          inner,
          low.map((start, i) => start - starts[i]),
          high.map((end, i) => end - starts[i]),
        );
      }
    }
    return intern("slice", [x], { low, high });
  }

  function fill(value: number, like: Tensor): Tensor {
    const constant = intern("constant", [], { value });
    if (like.shape.length === 0) return constant;
    return intern("broadcast", [constant], { shape: like.shape, axes: [] });
  }

  for (const tensor of topologicalOrder(Object.values(outputs))) {
    const inputs = tensor.inputs.map((input) => simplified.get(input)!);
    simplified.set(tensor, rewrite(tensor.op, inputs, tensor.attributes));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, simplified.get(tensor)!]));
}

/** A product's factor that does not vary along some axes, and the other one. */
function constantFactor(x: Tensor, axes: readonly number[]): { rest: Tensor; factor: Tensor } | undefined {
  if (x.op !== "mul") return undefined;
  const isConstant = (input: Tensor): boolean =>
    input.op === "broadcast" && !input.attributes.axes!.some((axis) => axes.includes(axis));
  const [a, b] = x.inputs;
  if (isConstant(b)) return { rest: a, factor: b };
  return isConstant(a) ? { rest: b, factor: a } : undefined;
}

/** The broadcast that all inputs but numbers are alike to: their work is done before repeating. */
function repeatedAlike(inputs: readonly Tensor[]): Tensor | undefined {
  const repeated = inputs.filter((input) => scalarOf(input) === undefined);
  const [first] = repeated;
  const alike = repeated.every(
    (input) => input.op === "broadcast" && sameShape(input.attributes.axes!, first.attributes.axes!),
  );
  return alike ? first : undefined;
}

/** The number that every element of a tensor equals, where the graph says so. */
export function scalarOf(tensor: Tensor): number | undefined {
  if (tensor.op === "constant") return tensor.dtype === "f32" ? tensor.attributes.value : undefined;
  return tensor.op === "broadcast" ? scalarOf(tensor.inputs[0]) : undefined;
}

function evaluateScalar(op: OpName, values: readonly number[]): number {
  const output = { data: new Float32Array(1), shape: [] };
  ops[op].reference(
    values.map((value) => ({ data: Float32Array.of(value), shape: [] })),
    output,
    {},
  );
  return output.data[0];
}

function keyOf(op: OpName, inputs: readonly Tensor[], attributes: Attributes): string | undefined {
  if (attributes.data !== undefined || attributes.backward !== undefined) return undefined;
  if (Object.keys(attributes).length === 0) return `${op}|${inputs.map((input) => input.id).join()}`;
  // JSON has no -0, NaN or infinities; String tells all but -0 apart.
  const value = Object.is(attributes.value, -0) ? "-0" : String(attributes.value);
  return `${op}|${inputs.map((input) => input.id).join()}|${value}|${JSON.stringify(attributes)}`;
}
