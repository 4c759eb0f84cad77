/**
 * Layers with their norm and activation, in the order that the method was published with: the
 * quantization methods differ there as much as in their formulas, and a network need not know.
 */
import type { Tensor } from "../graph/index.js";
import { add } from "../graph/index.js";
import type { Method, NormPlace } from "../quantization/index.js";
import type { BlockOptions, LayerOptions, NetworkBuilder, ResidualOptions } from "./builder.js";

/** What blocks are built with. */
export interface BlockContext {
  /** The network's name. */
  readonly network: string;
  readonly net: NetworkBuilder;
  readonly method: Method;
  /** Whether the method applies to the layer that is built next. */
  isQuantized(name: string, x: Tensor, options: LayerOptions): boolean;
}

/** layer, norm, activation, pooling; or norm, layer, activation, pooling; or layer, pooling, norm, activation. */
export function block(
  context: BlockContext,
  name: string,
  x: Tensor,
  { norm, pool, activation = true, ...options }: BlockOptions,
): Tensor {
  const { net, method, network } = context;
  const pooled = (y: Tensor) => (pool === undefined ? y : net.pool(y, pool));
  const activated = (y: Tensor) => (activation ? net.nonlinearity(y) : y);
  const place = method.normPlaces?.[network]?.[name];
  if (place === "pooled" && norm !== undefined) {
    return activated(batchNorm(net, pooled(layer(net, name, x, options)), norm));
  }
  return pooled(activated(normalised(context, name, x, options, norm, place)));
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

type Norm = NonNullable<BlockOptions["norm"]>;

/** A layer with its norm after it, or before it where the method has it so. */
function normalised(
  { net, method, isQuantized }: BlockContext,
  name: string,
  x: Tensor,
  options: LayerOptions,
  norm: Norm | undefined,
  place?: NormPlace,
): Tensor {
  const { normalisation = "after", normalisesEveryInput = false } = method;
  const quantized = isQuantized(name, x, options);
  if (norm === undefined) {
    return layer(
      net,
      name,
      quantized && normalisesEveryInput ? net.batchNorm(`${name}.norm`, x) : x,
      options,
    );
  }
  const isBefore = (place ?? (quantized ? normalisation : "after")) === "before";
  return isBefore
    ? layer(net, name, batchNorm(net, x, norm), options)
    : batchNorm(net, layer(net, name, x, options), norm);
}

const layer = (net: NetworkBuilder, name: string, x: Tensor, options: LayerOptions): Tensor =>
  "channels" in options ? net.convolution(name, x, options) : net.linear(name, x, options);

const batchNorm = (net: NetworkBuilder, x: Tensor, { name, ...options }: Norm): Tensor =>
  net.batchNorm(name, x, options);
