/** The builder that a network's `build` receives, and the options of its layers. */
import type { ConvolutionOptions, Pair, PoolOptions, Shape, Tensor } from "../graph/index.js";
import type { Initial, Initialiser } from "./initialise.js";

/** The options of a convolution in a network. */
export interface ConvolutionLayerOptions extends Omit<ConvolutionOptions, "groups"> {
  readonly channels: number;
  readonly kernel: Pair;
  /** Whether a trained number for each channel, NAME.bias, is added to the output, after all that the method does. Default false. */
  readonly bias?: boolean;
  /** Draws the initial weights, unless the method has an initialiser of its own. Default U(±1/√fanIn). */
  readonly initial?: Initialiser;
}

/** The options of a linear layer. */
export interface LinearOptions {
  readonly features: number;
  /** Whether a trained number for each feature, NAME.bias, is added to the output, after all that the method does. Default false. */
  readonly bias?: boolean;
  readonly initial?: Initialiser;
}

/** The options of batch normalisation. */
export interface BatchNormOptions {
  /** Whether it has a trained scale and shift. Default true. */
  readonly affine?: boolean;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** The share of the batch in the running statistics, as in PyTorch; Keras has 1 less that. Default 0.1. */
  readonly momentum?: number;
}

/** The options of pooling in a network. */
export interface PoolLayerOptions extends PoolOptions {
  /** Which value of a window counts. Default: the method's. */
  readonly kind?: "average" | "maximum";
}

/** The options of a convolution, which has `channels`, or of a linear layer, which has `features`. */
export type LayerOptions = ConvolutionLayerOptions | LinearOptions;

/** A layer with batch norm, activation and, optionally, pooling. */
export type BlockOptions = LayerOptions & {
  /** The batch norm. Default none; a method that normalises every quantized input adds one, NAME.norm. */
  readonly norm?: BatchNormOptions & { readonly name: string };
  readonly pool?: PoolLayerOptions;
  /** Whether the activation function follows, which it does except after a network's last layer. Default true. */
  readonly activation?: boolean;
};

/** The options of a residual block. */
export interface ResidualOptions {
  readonly channels: number;
  /** The stride of the first convolution. Default 1. */
  readonly stride?: number;
  readonly initial?: Initialiser;
}

/**
 * The builder that a network's `build` receives. Tensors are [N, H, W, C] or [N, features]. Names are unique in a
 * network and begin those of parameters: `conv1.weight`, `conv1.bias`, `bn1.scale`.
 */
export interface NetworkBuilder {
  /** How many logits the network must return. */
  readonly classes: number;
  /** The method's rate of dropout in classifiers; undefined if the method leaves it to the network. */
  readonly dropoutRate: number | undefined;
  /** x [N, H, W, C] -> [N, H', W', channels]. */
  convolution(name: string, x: Tensor, options: ConvolutionLayerOptions): Tensor;
  /** x [N, K] -> [N, features]. */
  linear(name: string, x: Tensor, options: LinearOptions): Tensor;
  /**
   * A convolution (with `channels`) or linear layer (with `features`) as the method orders its parts:
   * layer, norm, activation, pooling; or norm, layer, activation, pooling; or layer, pooling, norm, activation.
   */
  block(name: string, x: Tensor, options: BlockOptions): Tensor;
  /**
   * A residual block of two 3x3 convolutions, NAME.conv1 and NAME.conv2, as the method orders its parts;
   * NAME.shortcut is the 1x1 convolution beside them where the shape changes.
   */
  residual(name: string, x: Tensor, options: ResidualOptions): Tensor;
  /** Over all axes but the last. */
  batchNorm(name: string, x: Tensor, options?: BatchNormOptions): Tensor;
  /** The method's activation function after the layer built last; ReLU unless it has one of its own. */
  nonlinearity(x: Tensor): Tensor;
  /**
   * PReLU (He et al. 2015, arXiv 1502.01852): x where it is positive, else x times a trained slope of its channel, NAME.slope,
   * which starts from 0.25. It stands for the activation of a block with `activation: false`.
   */
  prelu(name: string, x: Tensor): Tensor;
  /**
   * A trained parameter of the network's own, in full precision.
   *
   * @param initial the value that it starts from, or what its values are drawn from.
   */
  parameter(name: string, shape: Shape, initial: number | Initial): Tensor;
  pool(x: Tensor, options: PoolLayerOptions): Tensor;
  /** [N, H, W, C] -> [N, C·H·W] in the order channel, row, column. */
  flatten(x: Tensor): Tensor;
  /** In training, zeros with probability `rate` (default: the method's), and the others divided by 1 - rate. */
  dropout(x: Tensor, rate?: number): Tensor;
}
