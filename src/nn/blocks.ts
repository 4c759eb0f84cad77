/**
 * Layers with their norm and activation, in the order that the method was published with: the
 * quantization methods differ there as much as in their formulas, and a network need not know.
 */
import type { Tensor } from "../graph/index.js";
import { add } from "../graph/index.js";
import type { Method } from "../quantization/index.js";
import type { BlockOptions, LayerOptions, NetworkBuilder, ResidualOptions } from "./builder.js";

/** What blocks are built with. */
export interface BlockContext {
  readonly net: NetworkBuilder;
  readonly method: Method;
  /** Whether the method applies to the layer that is built next. */
  isQuantized(name: string, x: Tensor, options: LayerOptions): boolean;
}

/** layer, norm, activation, pooling; or norm, layer, activation, pooling. */
export function block(
  context: BlockContext,
  name: string,
  x: Tensor,
  { norm, pool, ...options }: BlockOptions,
): Tensor {
  const { net } = context;
  const y = net.nonlinearity(normalised(context, name, x, options, norm));
  return pool === undefined ? y : net.pool(y, pool);
}

/**
 * A basic block: two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape
 * changes (He et al. 2016, arXiv 1512.03385, section 3.3, option B).
 *
 * - "original": conv1, norm, activation, conv2, norm; the shortcut's convolution and norm; activation
 *   of the sum. Where the method normalises before its layers, each norm comes before its convolution.
 * - "preactivation" (He et al. 2016, arXiv 1603.05027): norm, activation, conv1, norm, activation, conv2;
 *   the shortcut's convolution of x itself, and norm.
 */
export function residual(
  context: BlockContext,
  name: string,
  x: Tensor,
  { channels, stride = 1, initial }: ResidualOptions,
): Tensor {
  const { net, method } = context;
  const of3x3 = (stride: number) => ({ channels, kernel: 3, padding: 1, stride, initial });
  const shortcut = () => {
    if (stride === 1 && x.shape[3] === channels) return x;
    const options = { channels, kernel: 1, stride, initial };
    return normalised(context, `${name}.shortcut`, x, options, { name: `${name}.shortcutNorm` });
  };

  if (method.residual === "preactivation") {
    const part = (i: number, input: Tensor, stride: number) =>
      net.convolution(
        `${name}.conv${i}`,
        net.nonlinearity(net.batchNorm(`${name}.bn${i}`, input)),
        of3x3(stride),
      );
    return add(part(2, part(1, x, stride), 1), shortcut());
  }
  const part = (i: number, input: Tensor, stride: number) =>
    normalised(context, `${name}.conv${i}`, input, of3x3(stride), { name: `${name}.bn${i}` });
  const y = part(2, net.nonlinearity(part(1, x, stride)), 1);
  return net.nonlinearity(add(y, shortcut()));
}

/** A layer with its norm after it, or before it where the method has it so. */
function normalised(
  { net, method, isQuantized }: BlockContext,
  name: string,
  x: Tensor,
  options: LayerOptions,
  norm: BlockOptions["norm"],
): Tensor {
  const { normalisation = "after", normalisesEveryInput = false } = method;
  const quantized = isQuantized(name, x, options);
  const batchNorm = (value: Tensor, { name, ...options } = norm!) => net.batchNorm(name, value, options);
  const layer = (input: Tensor) =>
    "channels" in options ? net.convolution(name, input, options) : net.linear(name, input, options);

  if (norm === undefined) {
    return layer(quantized && normalisesEveryInput ? net.batchNorm(`${name}.norm`, x) : x);
  }
  return quantized && normalisation === "before" ? layer(batchNorm(x)) : batchNorm(layer(x));
}
