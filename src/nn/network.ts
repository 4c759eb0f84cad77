/**
 * Networks: how the user writes one, and how the rest uses it.
 *
 * A network is built twice: once to count its layers, so that a method knows which is the last, and
 * once for real. Its `build` must therefore do the same each time.
 */
import { shown, UserError } from "../errors.js";
import { lacksPlace, reworded } from "../errors/place.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  callback,
  checkOptions,
  checkValue,
  extent,
  flag,
  imageShape,
  isObject,
  objectOf,
  oneOf,
  optional,
  text,
} from "../errors/options.js";
import type { Shape, Tensor, Tensors } from "../graph/index.js";
import { isTensor, leaf } from "../graph/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, checkMethod } from "../quantization/index.js";
import type { ParameterSpec } from "./initialise.js";
import type { NetworkBuilder } from "./builder.js";
import type { BuildContext, BuiltLayer } from "./layers.js";
import { Builder } from "./layers.js";
import type { GradientType } from "./rounding.js";
import { gradientTypes } from "./rounding.js";

/** A network: what it takes, how many classes it tells apart, and how it is built. */
export interface Network {
  readonly name: string;
  /** Height, width and channels of an image. */
  readonly input: readonly [number, number, number];
  readonly classes: number;
  /** "redbit": the variant of the network in the framework of the published table, where it differs from the usual one. */
  readonly preset?: "redbit";
  /** x [N, height, width, channels] -> logits [N, classes]. */
  build(net: NetworkBuilder, x: Tensor): Tensor;
}

/** The tensors of a network, by name. */
export interface Variables {
  readonly parameters: Tensors;
  /** Running means and variances of batch normalisation. */
  readonly statistics: Tensors;
}

/** The options of `apply`. */
export interface ApplyOptions {
  /** Whether batch normalisation uses the batch's statistics, and dropout is on. */
  readonly training: boolean;
  /** Key (i32 [2]) of this step's random numbers; needed in training with dropout or quantized gradients. */
  readonly random?: Tensor;
  /** "bf16": in training, the gradients at the products of layers on codes are rounded to bfloat16. Default "f32". */
  readonly gradients?: GradientType;
}

const shapeRules: Rules<Pick<Network, "input" | "classes">> = {
  input: imageShape,
  classes: extent,
};
const networkRules: Rules<Network> = {
  name: text,
  ...shapeRules,
  preset: optional(oneOf("redbit")),
  build: callback,
};
const tensors: Rule = objectOf("an object of tensors by name");
const applyRules: Rules<ApplyOptions> = {
  training: flag,
  random: optional({ allowed: "a tensor, i32 [2]", test: isTensor }),
  gradients: optional(oneOf(...gradientTypes)),
};

/** A network from its layers. @throws UserError for an invalid input shape or number of classes. */
export function network(
  name: string,
  options: Pick<Network, "input" | "classes">,
  build: Network["build"],
): Network {
  const of = `network ${String(name)}`;
  checkOptions(of, options, shapeRules, `${of}: `);
  const { input, classes } = options;
  const made = { name, input, classes, build };
  checkNetwork(made);
  return made;
}

/** @throws UserError for anything but a network, and for a network with an unknown property. */
export function checkNetwork(value: unknown): asserts value is Network {
  if (!isObject(value) || typeof value.name !== "string" || typeof value.build !== "function") {
    if (isObject(value) && "build" in value) checkOptions("network", value, networkRules, "network: ");
    throw new UserError(
      `model must be a network, such as models.lenet5 or what network() returns, got ${shown(value)}`,
      "model",
    );
  }
  checkOptions(`network ${value.name}`, value, networkRules, `network ${value.name}: `);
}

/**
 * The network for images of another shape and other classes. Its `build` must take the number of
 * classes from `net.classes`.
 *
 * @throws UserError if it cannot be built so, for example if the image is too small for its layers.
 */
export function fitted(original: Network, to: Pick<Network, "input" | "classes">): Network {
  checkNetwork(original);
  const { input, classes } = Object(to) as typeof to;
  checkValue("input", input, shapeRules.input, "fitted: ");
  checkValue("classes", classes, shapeRules.classes, "fitted: ");
  if (original.input.join() === input.join() && original.classes === classes) return original;
  const { name, preset } = original;
  const made = network(name, { input, classes }, (net, x) => original.build(net, x));
  const other = preset === undefined ? made : { ...made, preset };
  try {
    countLayers(other, baseline());
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const reason = error.message.replace(`network ${name}: `, "");
    throw new UserError(
      `${name} cannot take images of ${input.join("x")} to ${classes} classes: ${reason}`,
      "imageSize",
    );
  }
  return other;
}

/**
 * Records a network on a batch x [N, height, width, channels].
 *
 * @returns logits [N, classes], and the statistics as they are after the batch: the given ones but in training.
 * @throws UserError where a parameter or statistic is missing or of another shape, and for mistakes in `build`.
 */
export function apply(
  network: Network,
  method: Method,
  variables: Variables,
  x: Tensor,
  options: ApplyOptions,
): { logits: Tensor; statistics: Record<string, Tensor> } {
  const { logits, builder } = record(network, method, variables, x, options);
  return { logits, statistics: builder.statistics };
}

/** The quantized inputs of layers, by the layer's name. */
export function quantizedInputs(...network: Parameters<typeof apply>): Record<string, Tensor> {
  const { layers } = record(...network).builder;
  const quantizing = layers.filter(({ quantizesInput }) => quantizesInput);
  return Object.fromEntries(quantizing.map(({ info, multiplied }) => [info.name, multiplied]));
}

function record(network: Network, method: Method, variables: Variables, x: Tensor, options: ApplyOptions) {
  checkNetwork(network);
  checkMethod(method);
  checkValue("parameters", (Object(variables) as Partial<Variables>).parameters, tensors);
  checkValue("statistics", (Object(variables) as Partial<Variables>).statistics, tensors);
  checkOptions("apply", options, applyRules);
  const { training, random, gradients } = options;
  if (!isTensor(x) || x.shape.length !== 4 || x.shape.slice(1).join() !== network.input.join()) {
    throw new UserError(
      `network ${network.name} takes images [N, ${network.input.join(", ")}], got ${isTensor(x) ? `[${x.shape.join(", ")}]` : shown(x)}`,
    );
  }
  return build(network, x, {
    method,
    count: countLayers(network, method),
    training,
    random,
    gradients,
    variable: (spec, role) => lookUp(variables[role], spec, role),
  });
}

/** What a network declares under a method. */
export interface Declared {
  readonly parameters: readonly ParameterSpec[];
  readonly statistics: readonly ParameterSpec[];
  readonly layers: readonly BuiltLayer[];
  readonly residualBlocks: number;
}

export function declare(network: Network, method: Method): Declared {
  checkNetwork(network);
  checkMethod(method);
  const specs = { parameters: [] as ParameterSpec[], statistics: [] as ParameterSpec[] };
  const { builder } = build(network, oneImage(network), {
    method,
    count: countLayers(network, method),
    training: false,
    variable(spec, role) {
      specs[role].push(spec);
      return leaf(spec.name, spec.shape);
    },
  });
  return { ...specs, layers: builder.layers, residualBlocks: builder.residualBlocks };
}

/** Whether some layer multiplies codes, so that rounding the gradients to bfloat16 has an effect. */
export const hasCodes = (network: Network, method: Method): boolean =>
  declare(network, method).layers.some(({ coded }) => coded);

/** Whether the network is built with `net.residual`. */
export const hasResidualBlocks = (network: Network, method: Method): boolean =>
  declare(network, method).residualBlocks > 0;

function countLayers(network: Network, method: Method): number {
  const variable = ({ name, shape }: ParameterSpec) => leaf(name, shape);
  return build(network, oneImage(network), { method, training: false, variable }).builder.layers.length;
}

const oneImage = ({ input }: Network) => leaf("x", [1, ...input]);

function build(network: Network, x: Tensor, context: Omit<BuildContext, "network" | "classes">) {
  const builder = new Builder({ network: network.name, classes: network.classes, ...context });
  const logits = built(network, () => network.build(builder, x));
  const expected: Shape = [x.shape[0], network.classes];
  if (!isTensor(logits)) {
    throw new UserError(
      `network ${network.name}: build must return the tensor of its logits [${expected.join(", ")}], got ${shown(logits)}`,
    );
  }
  if (logits.shape.join() !== expected.join()) {
    throw new UserError(
      `network ${network.name} must return logits [${expected.join(", ")}], got [${logits.shape.join(", ")}]`,
    );
  }
  return { logits, builder };
}

/** The result of `build`. @throws UserError for a mistake in it; the message begins with the network's name if it has no place yet. */
function built<T>({ name }: Network, build: () => T): T {
  try {
    return build();
  } catch (error) {
    throw lacksPlace(error) ? reworded(error, `network ${name}: ${error.message}`, error.field) : error;
  }
}

function lookUp(tensors: Tensors, { name, shape }: ParameterSpec, role: string): Tensor {
  const tensor = tensors[name];
  if (tensor === undefined) {
    throw new UserError(`the ${role} lack "${name}"; make them with initialise()`);
  }
  if (tensor.shape.join() !== shape.join()) {
    throw new UserError(
      `"${name}" must have the shape [${shape.join(", ")}], got [${tensor.shape.join(", ")}]`,
    );
  }
  return tensor;
}
