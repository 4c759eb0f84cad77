/** What a quantization method is, and a quantizer written as in a paper: its forward and its backward. */
import { shown, UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  callback,
  checkOptions,
  checkValue,
  flag,
  fraction,
  isObject,
  objectOf,
  oneOf,
  optional,
  plain,
  positive,
  text,
} from "../errors/options.js";
import type { Lattice, Tensor, WindowShape } from "../graph/index.js";
import { codes, customGradient, isTensor } from "../graph/index.js";

/** A convolution or linear layer as a method sees it. */
export interface LayerInfo {
  readonly name: string;
  readonly kind: "convolution" | "linear";
  /** Its index among the convolution and linear layers of its network, and their number. */
  readonly index: number;
  readonly count: number;
  /** The shape of its weights: [rows, columns, inputs, outputs] or [inputs, outputs]. */
  readonly shape: readonly number[];
}

const layerRule = objectOf("a layer, as hooks of a method get it", { index: "number", count: "number" });

/** Whether a layer is the first of its network. */
export function isFirst(layer: LayerInfo): boolean {
  checkValue("layer", layer, layerRule);
  return layer.index === 0;
}

/** Whether a layer is the last of its network. */
export function isLast(layer: LayerInfo): boolean {
  checkValue("layer", layer, layerRule);
  return layer.index === layer.count - 1;
}

/** The bits of one layer; 32 is full precision. */
export interface Bits {
  readonly weightBits: number;
  readonly activationBits: number;
}

/** Where a block has its norm: before its layer, after it, or after the pooling that follows the layer. */
export type NormPlace = "before" | "after" | "pooled";

const normPlaces: Rule = {
  allowed: 'an object of "before", "after" or "pooled" by network and layer',
  test: (value) =>
    isObject(value) &&
    Object.values(value).every(
      (layers) =>
        isObject(layers) &&
        Object.values(layers).every((place) => ["before", "after", "pooled"].includes(place as string)),
    ),
};

/**
 * A method in the form that a network applies to each of its layers. Weights keep their shape, and activations theirs.
 * A plain object suffices; the one that quantizes nothing is `baseline`.
 */
export interface Method {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly weightBits: number;
  readonly activationBits: number;
  /** True: the network uses this layer's weights and input as they are, and none of the hooks of quantization. */
  fullPrecision(layer: LayerInfo): boolean;
  /** The weights that a layer multiplies with. `own` holds its trained scalars. */
  weights(w: Tensor, layer: LayerInfo, own: Readonly<Record<string, Tensor>>): Tensor;
  /** The input that a layer multiplies, after pooling. */
  activations(x: Tensor, layer: LayerInfo, own: Readonly<Record<string, Tensor>>): Tensor;
  /** The layer's output with another gradient, in training. `random` is the key (i32 [2]) of the step's random numbers. */
  outputGradient?(y: Tensor, layer: LayerInfo, random: Tensor): Tensor;
  /** Latent weights start uniform in ±bound. Default, also where it returns undefined: the network's initialiser. */
  initialBound?(layer: LayerInfo): number | undefined;
  /** The factor of the optimizer's step of latent weights. Default 1. */
  stepFactor?(layer: LayerInfo): number;
  /**
   * The factor of the gradient of latent weights before the optimizer, which may be invariant to such a factor. Default
   * 1.
   */
  gradientFactor?(layer: LayerInfo, optimizer: string, invariantToScale: boolean): number;
  /** Constrains latent weights, at the start and after each update. */
  constrain?(w: Tensor, layer: LayerInfo): Tensor;
  /** The layer's output from its product `y` and its input `x` before quantization; `window` in a convolution. */
  output?(y: Tensor, x: Tensor, layer: LayerInfo, window?: WindowShape): Tensor;
  /** Trained scalars of a layer and their initial values. Weight decay leaves them alone. */
  own?(layer: LayerInfo): Readonly<Record<string, number>>;
  /** Whether an optimizer's momentum applies to them. Default true. */
  readonly ownMomentum?: boolean;
  /** The activation function after a layer (in blocks, and where networks ask for it). Default ReLU. `layer` is the last one built. */
  nonlinearity?(x: Tensor, layer: LayerInfo): Tensor;
  /** The pooling of networks that leave it to the method. Default "average". */
  readonly pooling?: "average" | "maximum";
  /** Where a block normalises: after the layer (the default), or before it if the layer is quantized. */
  readonly normalisation?: "before" | "after";
  /** Whether blocks without norm normalise the input of a quantized layer all the same. Default false. */
  readonly normalisesEveryInput?: boolean;
  /** Where residual blocks activate: the inner layer and the sum, or each layer's input and not the sum. Default "original". */
  readonly residual?: "original" | "preactivation";
  /** Where the blocks of certain networks have their norm, by network and layer, if it differs from `normalisation`. */
  readonly normPlaces?: Readonly<Record<string, Readonly<Record<string, NormPlace>>>>;
  /** The rate of dropout in classifiers that leave it to the method. Default: the network's own, which most networks do not have. */
  readonly dropout?: number;
  /** The bits of layers that have bits of their own. */
  bits?(layer: LayerInfo): Bits;
}

const rules: Rules<Method> = {
  name: text,
  options: plain,
  weightBits: positive,
  activationBits: positive,
  fullPrecision: callback,
  weights: callback,
  activations: callback,
  outputGradient: optional(callback),
  constrain: optional(callback),
  output: optional(callback),
  initialBound: optional(callback),
  stepFactor: optional(callback),
  gradientFactor: optional(callback),
  own: optional(callback),
  ownMomentum: optional(flag),
  nonlinearity: optional(callback),
  pooling: optional(oneOf("average", "maximum")),
  normalisation: optional(oneOf("before", "after")),
  normalisesEveryInput: optional(flag),
  residual: optional(oneOf("original", "preactivation")),
  normPlaces: optional(normPlaces),
  dropout: optional(fraction),
  bits: optional(callback),
};

/** @throws UserError for anything but a method, and for a method with an unknown property. */
export function checkMethod(method: unknown): asserts method is Method {
  if (!isObject(method) || typeof method.name !== "string" || typeof method.weights !== "function") {
    throw new UserError(
      `method must be a method, such as quant.dorefa(...) gives, got ${shown(method)}`,
      "method",
    );
  }
  const of = `method ${method.name}`;
  checkOptions(of, method, rules, `${of}: `);
}

/** The two formulas of a quantizer, and which whole numbers it returns. */
export interface QuantizerRule {
  /** The quantized value of x, of its shape. */
  forward(x: Tensor): Tensor;
  /** The gradient of x from `g`, the gradient of the quantized value. `forward` is not differentiated. */
  backward(g: Tensor, x: Tensor): Tensor;
  /** Where `forward` returns whole numbers: which, so that the compiler may use integers. */
  readonly lattice?: Lattice;
}

/**
 * A quantizer by its two formulas.
 *
 * @example
 * const binary = quantizer({
 *   forward: (w) => coded(sign(w), mean(abs(w))),
 *   backward: (g, w) => where(le(abs(w), 1), g, 0),
 * });
 */
export function quantizer(rule: QuantizerRule): (x: Tensor) => Tensor {
  checkOptions("quantizer", rule, quantizerRules, "quantizer: ");
  const { forward, backward, lattice } = rule;
  return (x) => {
    const value = returned("forward", forward(x));
    const coded = lattice ? codes(value, lattice) : value;
    return customGradient(coded, [x], (g) => [returned("backward", backward(g, x))]);
  };
}

const quantizerRules: Rules<QuantizerRule> = {
  forward: callback,
  backward: callback,
  lattice: optional(objectOf("a lattice { lo, hi, step }")),
};

function returned(part: string, value: unknown): Tensor {
  if (isTensor(value)) return value;
  throw new UserError(`quantizer: ${part} must return a tensor, got ${shown(value)}`);
}
