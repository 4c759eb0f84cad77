/** The layers that a network is built from, with a method's hooks where they belong. */
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import {
  callback,
  checkOptions,
  checkValue,
  count,
  flag,
  fraction,
  isObject,
  objectOf,
  oneOf,
  optional,
  positive,
  text,
} from "../errors/options.js";
import type { Shape, Tensor } from "../graph/index.js";
import {
  add,
  averagePool,
  convolution,
  div,
  ge,
  gt,
  isTensor,
  matmul,
  maxPool,
  moments,
  mul,
  random,
  relu,
  reshape,
  sizeOf,
  slice,
  sqrt,
  sub,
  transpose,
  where,
} from "../graph/index.js";
import type { Placement } from "../graph/functions/same.js";
import { placementOf, unchanged } from "../graph/functions/same.js";
import { pair, poolRules, windowRules, windowSize } from "../graph/functions/windows.js";
import type { Bits, LayerInfo, Method } from "../quantization/index.js";
import type { BlockContext } from "./blocks.js";
import { block, residual } from "./blocks.js";
import type {
  BatchNormOptions,
  BlockOptions,
  ConvolutionLayerOptions,
  LinearOptions,
  NetworkBuilder,
  PoolLayerOptions,
  ResidualOptions,
} from "./builder.js";
import { callHook, tensorFromHook, wrongHook } from "./hooks.js";
import type { Initial, Initialiser, ParameterSpec } from "./initialise.js";
import { isInitial, uniformFanIn } from "./initialise.js";
import type { GradientType } from "./rounding.js";
import { isCoded, roundGradient } from "./rounding.js";

/** A convolution or linear layer as it was built. */
export interface BuiltLayer {
  readonly info: LayerInfo;
  /** Without the batch axis. */
  readonly input: Shape;
  /** The input as the layer multiplies it, with the batch axis. */
  readonly multiplied: Tensor;
  readonly output: Shape;
  /** Whether the method applies to this layer, and whether it changed weights and input. */
  readonly quantized: boolean;
  readonly quantizesWeights: boolean;
  readonly quantizesInput: boolean;
  /** Whether it multiplies codes: `gradients: "bf16"` applies to it. */
  readonly coded: boolean;
  readonly bits: Bits;
  readonly bias: boolean;
}

export interface BuildContext {
  readonly network: string;
  readonly classes: number;
  readonly method: Method;
  /** The number of convolution and linear layers; undefined while they are counted, when nothing is quantized. */
  readonly count?: number;
  readonly training: boolean;
  readonly gradients?: GradientType;
  /** Key (i32 [2]) of the step's random numbers. */
  readonly random?: Tensor;
  /** The tensor of a parameter or statistic. */
  variable(spec: ParameterSpec, role: "parameters" | "statistics"): Tensor;
}

const convolutionLayerRules: Rules<ConvolutionLayerOptions> = {
  channels: count,
  kernel: windowSize,
  ...windowRules,
  bias: optional(flag),
  initial: optional(callback),
};
const linearRules: Rules<LinearOptions> = {
  features: count,
  bias: optional(flag),
  initial: optional(callback),
};
const batchNormRules: Rules<BatchNormOptions> = {
  affine: optional(flag),
  epsilon: optional(positive),
  momentum: optional({
    allowed: "a positive number, at most 1",
    test: (value) => typeof value === "number" && value > 0 && value <= 1,
  }),
};
const poolLayerRules: Rules<PoolLayerOptions> = {
  ...poolRules,
  kind: optional(oneOf("average", "maximum")),
};
const residualRules: Rules<ResidualOptions> = {
  channels: count,
  stride: optional(count),
  initial: optional(callback),
};
/** Options that a block adds to those of its layer. */
const blockRules = {
  norm: optional(objectOf('an object with a name, such as { name: "bn1" }', { name: "string" })),
  pool: optional(objectOf("an object with a size, such as { size: 2 }")),
  activation: optional(flag),
};
const normRules: Rules<BatchNormOptions & { readonly name: string }> = { name: text, ...batchNormRules };

const parameterRules = {
  shape: {
    allowed: "an array of positive integers, [] for one number",
    test: (value: unknown) => Array.isArray(value) && value.every(count.test),
  },
  initial: {
    allowed: 'a number, or a distribution such as { kind: "normal", deviation: 0.1 }',
    test: (value: unknown) => Number.isFinite(value) || isInitial(value),
  },
};

/** Streams of random numbers below this one are the methods', one per layer. */
const firstDropoutStream = 2 ** 16;

/** The result of a function on tensors for a part of a network. @throws UserError for what it refuses, with the part's name. */
function named<T>(part: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${part}: ${error.message}`) : error;
  }
}

export class Builder implements NetworkBuilder {
  readonly layers: BuiltLayer[] = [];
  /** Running statistics as they are after the batch. */
  readonly statistics: Record<string, Tensor> = {};
  residualBlocks = 0;
  private readonly names = new Set<string>();
  private readonly variables = new Set<string>();
  private dropouts = 0;

  constructor(private readonly context: BuildContext) {}

  get classes(): number {
    return this.context.classes;
  }

  get dropoutRate(): number | undefined {
    return this.context.method.dropout;
  }

  convolution(name: string, x: Tensor, options: ConvolutionLayerOptions): Tensor {
    this.checkLayer(name, x, options, convolutionLayerRules);
    const { stride = 1, padding = 0 } = options;
    const info = this.describe(name, x, options);
    const placement = placementOf(x.shape, { size: options.kernel, stride, padding }, true);
    const { window } = placement;
    const multiply = (input: Tensor, w: Tensor) =>
      convolution(input, w, { stride: window.stride, padding: window.padding });
    return this.product(info, x, options, multiply, placement);
  }

  linear(name: string, x: Tensor, options: LinearOptions): Tensor {
    this.checkLayer(name, x, options, linearRules);
    return this.product(this.describe(name, x, options), x, options, matmul);
  }

  block(name: string, x: Tensor, options: BlockOptions): Tensor {
    const isLinear = "features" in Object(options);
    const rules = { ...(isLinear ? linearRules : convolutionLayerRules), ...blockRules };
    this.checkLayer<BlockOptions>(name, x, options, rules as Rules<BlockOptions>);
    if (options.norm !== undefined) {
      this.check(`${name}'s norm`, options.norm, normRules);
      if (options.bias === true) {
        throw new UserError(
          `${name}: a block has a norm or a bias, not both: the norm subtracts the bias; leave out one of them`,
        );
      }
    }
    if (options.pool !== undefined) this.check(`${name}'s pool`, options.pool, poolLayerRules);
    return block(this.blocks, name, x, options);
  }

  residual(name: string, x: Tensor, options: ResidualOptions): Tensor {
    this.checkLayer(name, x, options, residualRules);
    this.residualBlocks++;
    return residual(this.blocks, name, x, options);
  }

  private get blocks(): BlockContext {
    return {
      net: this,
      network: this.context.network,
      method: this.context.method,
      isQuantized: (name, x, options) => this.isQuantized(this.describe(name, x, options)),
    };
  }

  /** The layer to be built next. */
  private describe(name: string, x: Tensor, options: ConvolutionLayerOptions | LinearOptions): LayerInfo {
    const place = { name, index: this.layers.length, count: this.context.count ?? 0 };
    if ("channels" in options) {
      this.expectRank(name, x, 4, "a convolution takes [N, H, W, C]");
      return {
        ...place,
        kind: "convolution",
        shape: [...pair(options.kernel), x.shape[3], options.channels],
      };
    }
    this.expectRank(name, x, 2, "a linear layer takes [N, features]; flatten() images before");
    return { ...place, kind: "linear", shape: [x.shape[1], options.features] };
  }

  private isQuantized(info: LayerInfo): boolean {
    if (this.context.count === undefined) return false;
    const { method } = this.context;
    const full: unknown = callHook(method, "fullPrecision", info, () => method.fullPrecision(info));
    if (typeof full !== "boolean") throw wrongHook(method, "fullPrecision", info, "true or false", full);
    return !full;
  }

  private product(
    info: LayerInfo,
    x: Tensor,
    { initial = uniformFanIn, bias = false }: { initial?: Initialiser; bias?: boolean },
    multiply: (x: Tensor, w: Tensor) => Tensor,
    { window, padded = unchanged, cropped = unchanged }: Partial<Placement> = {},
  ): Tensor {
    const { name, shape } = info;
    this.claim(name);
    const { method, training, gradients } = this.context;
    const quantized = this.isQuantized(info);

    const bound = quantized
      ? callHook(method, "initialBound", info, () => method.initialBound?.(info))
      : undefined;
    if (bound !== undefined && !Number.isFinite(bound)) {
      throw wrongHook(method, "initialBound", info, "a finite number", bound);
    }
    const latent = this.variable(
      {
        name: `${name}.weight`,
        shape,
        initial: bound === undefined ? initial(shape) : { kind: "uniform", bound },
      },
      "parameters",
    );
    const own = quantized ? this.own(info) : {};
    const hook = (part: string, call: () => Tensor, shape: Shape) =>
      tensorFromHook(method, part, info, call, shape);
    const weights = quantized ? hook("weights", () => method.weights(latent, info, own), shape) : latent;
    const input = quantized ? hook("activations", () => method.activations(x, info, own), x.shape) : x;
    let output = named(name, () => multiply(padded(input), weights));
    const coded = quantized && (isCoded(weights) || isCoded(input));
    // The product's own gradient: after those of K and of DoReFa's low-bit gradients.
    if (coded && training && gradients === "bf16") output = roundGradient(output);
    if (quantized && method.output !== undefined) {
      output = hook("output", () => method.output!(output, padded(x), info, window), output.shape);
    }
    output = cropped(output);
    if (quantized && training && method.outputGradient !== undefined) {
      const key = this.randomKey(`${method.name}'s gradients`);
      output = hook("outputGradient", () => method.outputGradient!(output, info, key), output.shape);
    }
    if (bias) {
      const outputs = output.shape.at(-1)!;
      output = add(output, this.filled(`${name}.bias`, [outputs], 0, "parameters"));
    }
    this.layers.push({
      info,
      input: x.shape.slice(1),
      multiplied: input,
      output: output.shape.slice(1),
      quantized,
      quantizesWeights: quantized && weights !== latent,
      quantizesInput: quantized && input !== x,
      coded,
      bits: (quantized && callHook(method, "bits", info, () => method.bits?.(info))) || method,
      bias,
    });
    return output;
  }

  /** A layer's trained scalars, parameters of the name `conv1.own.NAME`. */
  private own(layer: LayerInfo): Record<string, Tensor> {
    const { method } = this.context;
    const initial = method.own === undefined ? {} : callHook(method, "own", layer, () => method.own!(layer));
    if (!isObject(initial) || !Object.values(initial).every(Number.isFinite)) {
      throw wrongHook(method, "own", layer, "an object of numbers, such as { scale: 1 },", initial);
    }
    return Object.fromEntries(
      Object.entries(initial).map(([name, value]) => [
        name,
        this.filled(`${layer.name}.own.${name}`, [], value, "parameters"),
      ]),
    );
  }

  batchNorm(name: string, x: Tensor, options: BatchNormOptions = {}): Tensor {
    this.checkLayer(name, x, options, batchNormRules);
    const { affine = true, epsilon = 1e-5, momentum = 0.1 } = options;
    this.claim(name);
    const channels = x.shape.at(-1)!;
    const runningMean = this.filled(`${name}.mean`, [channels], 0, "statistics");
    const runningVariance = this.filled(`${name}.variance`, [channels], 1, "statistics");
    let [mean, variance] = [runningMean, runningVariance];
    if (this.context.training) {
      const both = moments(x, x.shape.map((_, axis) => axis).slice(0, -1));
      [mean, variance] = [0, 1].map((row) => reshape(slice(both, [row, 0], [row + 1, channels]), [channels]));
      const count = sizeOf(x.shape) / channels;
      const average = (running: Tensor, batch: Tensor) =>
        add(mul(running, 1 - momentum), mul(batch, momentum));
      this.statistics[`${name}.mean`] = average(runningMean, mean);
      // The step itself uses the biased variance. A single value has no unbiased one.
      this.statistics[`${name}.variance`] =
        count > 1 ? average(runningVariance, mul(variance, count / (count - 1))) : runningVariance;
    }
    const deviation = sqrt(add(variance, epsilon));
    const scale = affine ? this.filled(`${name}.scale`, [channels], 1, "parameters") : 1;
    // (x - mean)·(scale/deviation): the quotient is one number per channel.
    const scaled = mul(sub(x, mean), div(scale, deviation));
    return affine ? add(scaled, this.filled(`${name}.shift`, [channels], 0, "parameters")) : scaled;
  }

  nonlinearity(x: Tensor): Tensor {
    this.expectTensor("nonlinearity", x);
    const last = this.layers.at(-1);
    const { method } = this.context;
    if (last === undefined || method.nonlinearity === undefined) return relu(x);
    return tensorFromHook(method, "nonlinearity", last.info, () => method.nonlinearity!(x, last.info));
  }

  prelu(name: string, x: Tensor): Tensor {
    this.expectTensor(name, x);
    this.claim(name);
    const slope = this.filled(`${name}.slope`, [x.shape.at(-1)!], 0.25, "parameters");
    return where(gt(x, 0), x, mul(x, slope));
  }

  parameter(name: string, shape: Shape, initial: number | Initial): Tensor {
    this.claim(name);
    if (name.includes(".own.")) {
      throw new UserError(`"${name}" cannot be a parameter's name: those with ".own." are a method's`);
    }
    checkValue("shape", shape, parameterRules.shape, `${name}: `);
    checkValue("initial", initial, parameterRules.initial, `${name}: `);
    const drawn: Initial = typeof initial === "number" ? { kind: "constant", value: initial } : initial;
    return this.variable({ name, shape, initial: drawn }, "parameters");
  }

  pool(x: Tensor, options: PoolLayerOptions): Tensor {
    this.checkLayer("pool", x, options, poolLayerRules);
    const { kind, ...window } = options;
    const pool = (kind ?? this.context.method.pooling ?? "average") === "average" ? averagePool : maxPool;
    const last = this.layers.at(-1)?.info.name;
    return named(last === undefined ? "pool" : `pool after ${last}`, () => pool(x, window));
  }

  flatten(x: Tensor): Tensor {
    this.expectTensor("flatten", x);
    if (x.shape.length === 2) return x;
    const [count] = x.shape;
    return reshape(transpose(x, [0, 3, 1, 2]), [count, sizeOf(x.shape) / count]);
  }

  dropout(x: Tensor, rate = this.dropoutRate ?? 0): Tensor {
    this.expectTensor("dropout", x);
    if (!fraction.test(rate))
      throw new UserError(`dropout's rate must be ${fraction.allowed}, got ${shown(rate)}`);
    const stream = firstDropoutStream + this.dropouts++;
    if (!this.context.training || rate === 0) return x;
    const kept = ge(random(this.randomKey("dropout"), x.shape, stream), rate);
    return where(kept, div(x, 1 - rate), 0);
  }

  /** A parameter or statistic that starts from one value. */
  private filled(name: string, shape: Shape, value: number, role: "parameters" | "statistics"): Tensor {
    const tensor = this.variable({ name, shape, initial: { kind: "constant", value } }, role);
    if (role === "statistics") this.statistics[name] = tensor; // until a batch replaces it
    return tensor;
  }

  private variable(spec: ParameterSpec, role: "parameters" | "statistics"): Tensor {
    const key = `${role}/${spec.name}`;
    if (this.variables.has(key)) {
      throw new UserError(`two parameters have the name "${spec.name}"; give each a name of its own`);
    }
    this.variables.add(key);
    return this.context.variable(spec, role);
  }

  private randomKey(use: string): Tensor {
    const { random: key } = this.context;
    if (key === undefined)
      throw new UserError(`training with ${use} takes \`random\`, a key of type i32 and shape [2]`);
    return key;
  }

  private claim(name: string): void {
    if (!/^[\w.-]+$/.test(name)) {
      throw new UserError(`a layer's name must be letters, digits, "_", "-" and ".", got "${name}"`);
    }
    if (this.names.has(name)) {
      throw new UserError(`the layer name "${name}" is used twice; give each layer a name of its own`);
    }
    this.names.add(name);
  }

  /** Checks the input of a layer. */
  private checkLayer<T extends object>(name: string, x: unknown, options: unknown, rules: Rules<T>): void {
    this.expectTensor(name, x);
    this.check(name, options, rules);
  }

  private check<T extends object>(name: string, options: unknown, rules: Rules<T>): void {
    checkOptions<T>(name, options, rules, `${name}: `);
  }

  private expectTensor(name: string, x: unknown): void {
    if (!isTensor(x)) throw new UserError(`${name}: the input must be a tensor, got ${shown(x)}`);
  }

  private expectRank(name: string, x: Tensor, rank: number, takes: string): void {
    if (x.shape.length !== rank) throw new UserError(`${name}: ${takes}, got [${x.shape.join(", ")}]`);
  }
}
