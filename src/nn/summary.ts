/** What a network costs under a method, layer by layer. */
import type { Shape } from "../graph/index.js";
import { sizeOf } from "../graph/index.js";
import type { LayerInfo, Method } from "../quantization/index.js";
import type { ParameterSpec } from "./initialise.js";
import type { BuiltLayer } from "./layers.js";
import type { Network } from "./network.js";
import { declare } from "./network.js";

/** A layer with its shapes, bits and costs. */
export interface LayerSummary {
  readonly name: string;
  readonly kind: LayerInfo["kind"];
  /** The shape of the layer's input for one image. */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly weightShape: Shape;
  /** How many its weights and its bias are. */
  readonly parameters: number;
  /** For one image. */
  readonly multiplyAccumulates: number;
  readonly weightBits: number;
  /** The bits of the layer's input. */
  readonly activationBits: number;
  /** The bytes of the weights, packed at their bits and (`bytes32`) at 32; those of a bias at 32. */
  readonly bytes: number;
  readonly bytes32: number;
}

/** The layers of a network under a method, and their totals. */
export interface NetworkSummary {
  readonly layers: readonly LayerSummary[];
  /** Batch normalisation's scales and shifts included, at 32 bits; running statistics and a method's own scalars not. */
  readonly totals: Pick<LayerSummary, "parameters" | "multiplyAccumulates" | "bytes" | "bytes32">;
}

/** The parts of a network under a method: see `describe`. */
export interface Description {
  readonly parameters: readonly ParameterSpec[];
  readonly statistics: readonly ParameterSpec[];
  readonly layers: readonly LayerSummary[];
}

/** The parameters, statistics and layers of a network under a method, in the order they are built. */
export function describe(network: Network, method: Method): Description {
  const { parameters, statistics, layers } = declare(network, method);
  return { parameters, statistics, layers: layers.map(summariseLayer) };
}

/** Layers with their costs, and the totals. */
export function summarise(network: Network, method: Method): NetworkSummary {
  const { parameters, layers } = describe(network, method);
  const ofLayers = new Set(layers.flatMap(({ name }) => [`${name}.weight`, `${name}.bias`]));
  const total = (field: keyof NetworkSummary["totals"]) =>
    layers.reduce((sum, layer) => sum + layer[field], 0);
  const others = parameters
    .filter(({ name }) => !ofLayers.has(name) && !name.includes(".own."))
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return {
    layers,
    totals: {
      parameters: total("parameters") + others,
      multiplyAccumulates: total("multiplyAccumulates"),
      bytes: total("bytes") + 4 * others,
      bytes32: total("bytes32") + 4 * others,
    },
  };
}

/** What one image costs, in all. */
export interface NetworkCost {
  readonly parameters: number;
  readonly multiplyAccumulates: number;
  /** The weights packed at their bits, the rest at 32; and all at 32. */
  readonly bytes: number;
  readonly bytes32: number;
  /** Multiply-accumulates times bits of weights times bits of activations, summed over the layers. */
  readonly bitOperations: number;
}

/** What a network costs under a method. */
export function costOf(network: Network, method: Method): NetworkCost {
  const { layers, totals } = summarise(network, method);
  const bitOperations = layers.reduce(
    (sum, layer) => sum + layer.multiplyAccumulates * layer.weightBits * layer.activationBits,
    0,
  );
  return { ...totals, bitOperations };
}

function summariseLayer(layer: BuiltLayer): LayerSummary {
  const { name, kind, shape } = layer.info;
  const size = sizeOf(shape);
  const biases = layer.bias ? shape.at(-1)! : 0;
  const weightBits = layer.quantizesWeights ? layer.bits.weightBits : 32;
  return {
    name,
    kind,
    inputShape: layer.input,
    outputShape: layer.output,
    weightShape: shape,
    parameters: size + biases,
    // Each weight is used once for every position of the output.
    multiplyAccumulates: size * sizeOf(layer.output.slice(0, -1)),
    weightBits,
    activationBits: layer.quantizesInput ? layer.bits.activationBits : 32,
    bytes: Math.ceil((size * weightBits) / 8) + 4 * biases,
    bytes32: 4 * (size + biases),
  };
}
