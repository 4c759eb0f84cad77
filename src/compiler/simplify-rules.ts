/**
 * The rules of `simplify`, on one page: for an op, functions from its inputs to a simpler value that equals it, or
 * undefined where a rule does not apply. The first that applies counts.
 */
import { node } from "../graph/node.js";
import { ops } from "../graph/ops.js";
import { otherAxes } from "../graph/ops/reductions.js";
import { sameShape } from "../graph/ops/shapes.js";
import type { Attributes, OpName, Tensor } from "../graph/tensor.js";
import type { Target } from "../runtime/target.js";
import { isExactInBf16, isRounded } from "./bf16.js";
import type { Build } from "./integers.js";
import { asFloats, lowerConvolution, lowerFilterGradient, lowerInputGradient } from "./integers.js";
import { isElementwise } from "./kinds.js";

/** The context of the rules, besides the inputs. */
export interface Context extends Build {
  readonly target: Pick<Target, "bf16Products">;
  /** Codes that products before this one read: those of a layer come before its gradients. */
  readonly multiplied: Set<Tensor>;
}

type Inputs = readonly Tensor[];
type Rule = (inputs: Inputs, attributes: Attributes, context: Context) => Tensor | undefined;
type RuleOfOp = (op: OpName, ...parts: Parameters<Rule>) => Tensor | undefined;

export const rules: Readonly<Partial<Record<OpName, readonly Rule[]>>> = {
  // Identities that exist for gradients, which were taken before.
  stopGradient: [([x]) => x],
  customGradient: [([x]) => x],

  codes: [([x], a, { plain }) => plain("codes", [x.op === "codes" ? x.inputs[0] : x], a)],
  coded: [
    ([x, scale], _, { simple }) => simple("mul", [simple("codes", [x], { lattice: x.lattice }), scale], {}),
  ],

  convolution: [productOfCodes],
  convolutionInputGradient: [
    ([x, y], a, { target, ...build }) =>
      target.bf16Products && isRounded(x)
        ? (lowerInputGradient([x, y], a, build) ??
          build.simple("convolutionInputGradient", [asFloats(x, build), y], a))
        : undefined,
    ([x, y], a, { multiplied, ...build }) =>
      multiplied.has(y) ? build.plain("convolutionInputGradient", [x, asFloats(y, build)], a) : undefined,
  ],
  convolutionFilterGradient: [
    ([x, y], a, { target, ...build }) =>
      target.bf16Products && isRounded(y)
        ? (lowerFilterGradient([x, y], a, isExactInBf16, build) ??
          build.simple("convolutionFilterGradient", [x, asFloats(y, build)], a))
        : undefined,
    (inputs, a, { multiplied, ...build }) =>
      lowerFilterGradient(inputs, a, (codes) => multiplied.has(codes), build),
  ],

  reshape: [
    ([x], a, { simple }) => (x.op === "reshape" ? simple("reshape", x.inputs, a) : undefined),
    ([x], { shape }) => (sameShape(x.shape, shape!) ? x : undefined),
  ],
  transpose: [
    ([x], { permutation }) => (permutation!.every((axis, i) => axis === i) ? x : undefined),
    ([x], { permutation }, { simple }) => {
      const inner = x.attributes.permutation;
      return x.op === "transpose"
        ? simple("transpose", x.inputs, { permutation: permutation!.map((axis) => inner![axis]) })
        : undefined;
    },
  ],
  broadcast: [
    ([x], { shape }) => (sameShape(x.shape, shape!) ? x : undefined),
    ([x], { shape, axes }, { simple }) =>
      x.op === "broadcast"
        ? simple("broadcast", x.inputs, { shape, axes: x.attributes.axes!.map((axis) => axes![axis]) })
        : undefined,
  ],
  slice: [([x], { low, high }, context) => sliceOf(x, low!, high!, context)],
  sum: [
    ([x], a, { simple }) => (x.op === "neg" ? simple("neg", [simple("sum", x.inputs, a)], {}) : undefined),
    factorBeforeSum,
  ],

  add: [([x, y]) => (scalarOf(y) === 0 ? x : undefined), ([x, y]) => (scalarOf(x) === 0 ? y : undefined)],
  sub: [([x, y]) => (scalarOf(y) === 0 ? x : undefined)],
  neg: [([x]) => (x.op === "neg" ? x.inputs[0] : undefined)],
  // max(a, max(a, b)): a rectified value that is clipped.
  max: [([x, y]) => (y.op === "max" && y.inputs[0] === x ? y : undefined)],
  min: [([x, y]) => (y.op === "min" && y.inputs[0] === x ? y : undefined)],
  mul: [
    ([x, y]) => (scalarOf(y) === 1 ? x : undefined),
    ([x, y]) => (scalarOf(x) === 1 ? y : undefined),
    // (a · 2) · 3 = a · 6
    ([x, y], _, { simple }) =>
      scalarOf(y) !== undefined && x.op === "mul" && scalarOf(x.inputs[1]) !== undefined
        ? simple("mul", [x.inputs[0], simple("mul", [x.inputs[1], y], {})], {})
        : undefined,
  ],
  div: [
    ([x, y]) => (scalarOf(y) === 1 ? x : undefined),
    // A product with the reciprocal is faster, and exact where that is a power of two.
    ([x, y], _, context) => {
      const divisor = scalarOf(y);
      return divisor !== undefined && Number.isInteger(Math.log2(Math.abs(divisor)))
        ? context.simple("mul", [x, fill(1 / divisor, x, context)], {})
        : undefined;
    },
    ([x, y], _, context) => {
      if (y.op !== "broadcast" || scalarOf(y) !== undefined) return undefined;
      const { simple } = context;
      const reciprocal = simple("div", [fill(1, y.inputs[0], context), y.inputs[0]], {});
      return simple("mul", [x, simple("broadcast", [reciprocal], y.attributes)], {});
    },
  ],
};

/** Rules of every elementwise op, after its own. */
export const elementwiseRules: readonly RuleOfOp[] = [valueOfNumbers, workBeforeRepeating];

/** A product of two coded values is a product of their codes. */
function productOfCodes(inputs: Inputs, attributes: Attributes, context: Context): Tensor | undefined {
  const { shape } = node("convolution", inputs, attributes);
  const product = lowerConvolution(inputs, attributes, shape, context);
  product?.codes.forEach((codes) => context.multiplied.add(codes));
  return product?.value;
}

/** Σ x·c = c·Σx where c does not vary along the sum; then Σ g and Σ g·c are one sum. */
function factorBeforeSum([x]: Inputs, attributes: Attributes, { simple }: Context): Tensor | undefined {
  const constant = constantFactor(x, attributes.axes!);
  if (constant === undefined) return undefined;
  const { rest, factor } = constant;
  const { shape } = node("sum", [rest], attributes);
  const folded = otherAxes(rest.shape.length, attributes.axes!);
  const axes = factor.attributes.axes!.map((axis) => folded.indexOf(axis));
  const repeated = simple("broadcast", factor.inputs, { shape, axes });
  return simple("mul", [simple("sum", [rest], attributes), repeated], {});
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

/**
 * The gradients of a value's slices are padded and added, and then sliced again where that value
 * had several parts of its own (as the mean and variance of `moments`): that takes them apart.
 */
function sliceOf(x: Tensor, low: readonly number[], high: readonly number[], context: Context): Tensor {
  const { simple, plain } = context;
  if (x.shape.every((extent, i) => low[i] === 0 && high[i] === extent)) return x;
  if (isElementwise(x.op) && x.inputs.some((input) => input.op === "pad")) {
    const parts = x.inputs.map((input) => sliceOf(input, low, high, context));
    return simple(x.op, parts, x.attributes);
  }
  if (x.op === "pad") {
    const [inner] = x.inputs;
    const starts = x.attributes.low!;
    if (low.some((start, i) => high[i] <= starts[i] || start >= starts[i] + inner.shape[i])) {
      const shape = low.map((start, i) => high[i] - start);
      return plain("broadcast", [plain("constant", [], { value: 0 })], { shape, axes: [] });
    }
    if (low.every((start, i) => start >= starts[i] && high[i] <= starts[i] + inner.shape[i])) {
      const moved = (ends: readonly number[]): number[] => ends.map((end, i) => end - starts[i]);
      return sliceOf(inner, moved(low), moved(high), context);
    }
  }
  return plain("slice", [x], { low, high });
}

/** The value of numbers is computed here. */
function valueOfNumbers(op: OpName, inputs: Inputs, _: Attributes, context: Context): Tensor | undefined {
  const values = inputs.map(scalarOf);
  if (!values.every((value) => value !== undefined)) return undefined;
  const output = { data: new Float32Array(1), shape: [] };
  ops[op].reference(
    values.map((value) => ({ data: Float32Array.of(value), shape: [] })),
    output,
    {},
  );
  return fill(output.data[0], inputs[0], context);
}

/** Work on values that are repeated alike is done before repeating. */
function workBeforeRepeating(
  op: OpName,
  inputs: Inputs,
  attributes: Attributes,
  context: Context,
): Tensor | undefined {
  // What is rounded is kept as bf16 only where it is rounded last.
  if (op === "bf16" && context.target.bf16Products) return undefined;
  const repeated = inputs.filter((input) => scalarOf(input) === undefined);
  const [first] = repeated;
  const isAlike = (input: Tensor): boolean =>
    input.op === "broadcast" && sameShape(input.attributes.axes!, first.attributes.axes!);
  if (!repeated.every(isAlike)) return undefined;
  const parts = inputs.map((input) => {
    const value = scalarOf(input);
    return value === undefined ? input.inputs[0] : fill(value, first.inputs[0], context);
  });
  return context.simple("broadcast", [context.simple(op, parts, attributes)], first.attributes);
}

/** A number in every element of a shape. */
function fill(value: number, like: Tensor, { plain }: Context): Tensor {
  const constant = plain("constant", [], { value });
  if (like.shape.length === 0) return constant;
  return plain("broadcast", [constant], { shape: like.shape, axes: [] });
}

/** The number that every element of a tensor equals, where the graph says so. */
function scalarOf(tensor: Tensor): number | undefined {
  if (tensor.op === "constant") return tensor.dtype === "f32" ? tensor.attributes.value : undefined;
  return tensor.op === "broadcast" ? scalarOf(tensor.inputs[0]) : undefined;
}
