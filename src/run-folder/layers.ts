/** How the weights of each layer develop: the lines of `layers.jsonl`, one per layer and epoch. */
import { z } from "zod";
import type { HostArray } from "../graph/host.js";
import { readLines } from "./metrics.js";

const bins = 32;

/** A layer's latent weights (those that are trained) and the quantized ones (those it computes with). */
export interface LayerWeights {
  readonly name: string;
  /** 32 where the layer's weights are not quantized. */
  readonly bits: number;
  readonly latent: HostArray;
  readonly quantized: HostArray;
}

/** A line of `layers.jsonl`. */
export interface LayerLine {
  readonly epoch: number;
  readonly layer: string;
  /** Different values among the quantized weights; null in full precision. */
  readonly levels: number | null;
  /** Share of quantized weights that are 0. */
  readonly sparsity: number;
  /** Share of latent weights whose sign is not what it was at the last epoch's end; 0 counts as positive. */
  readonly signFlips: number;
  /** The distribution of the latent weights: counts in 32 equal bins from lowest to highest. */
  readonly histogram: {
    readonly lowest: number;
    readonly highest: number;
    readonly counts: readonly number[];
  };
}

export const layersSchema = z.strictObject({
  epoch: z.int().positive(),
  layer: z.string(),
  levels: z.int().nullable(),
  sparsity: z.number(),
  signFlips: z.number(),
  histogram: z.strictObject({ lowest: z.number(), highest: z.number(), counts: z.array(z.number()) }),
}) satisfies z.ZodType<LayerLine>;

/** The lines of `layers.jsonl` of the first `epochs` epochs. Throws `UserError` as `readLines` does. */
export function readLayers(path: string, epochs: number): LayerLine[] {
  return readLines(path, epochs, layersSchema);
}

export function layerLine(epoch: number, layer: LayerWeights, signsBefore: Uint8Array): LayerLine {
  const { name, bits, latent, quantized } = layer;
  return {
    epoch,
    layer: name,
    levels: bits === 32 ? null : new Set(quantized.data).size,
    sparsity: zerosIn(quantized) / quantized.data.length,
    signFlips: differences(signsOf(latent), signsBefore) / latent.data.length,
    histogram: histogramOf(latent.data),
  };
}

/** One bit per weight, set where it is negative; eight to a byte, the first lowest. */
export function signsOf({ data }: HostArray): Uint8Array {
  const signs = new Uint8Array(Math.ceil(data.length / 8));
  for (let i = 0; i < data.length; i++) if (data[i] < 0) signs[i >> 3] |= 1 << (i & 7);
  return signs;
}

/** The signs of each layer's weights. */
export function signsOfAll(
  layers: readonly { readonly name: string }[],
  parameters: Readonly<Record<string, HostArray>>,
): Record<string, Uint8Array> {
  return Object.fromEntries(layers.map(({ name }) => [name, signsOf(parameters[weightName(name)])]));
}

export const weightName = (layer: string): string => `${layer}.weight`;

function zerosIn({ data }: HostArray): number {
  let count = 0;
  for (const value of data) if (value === 0) count++;
  return count;
}

function differences(a: Uint8Array, b: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < a.length; i++) {
    for (let bits = a[i] ^ b[i]; bits !== 0; bits &= bits - 1) count++;
  }
  return count;
}

function histogramOf(values: HostArray["data"]): LayerLine["histogram"] {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const value of values) {
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  const counts = Array<number>(bins).fill(0);
  const scale = highest > lowest ? bins / (highest - lowest) : 0;
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - lowest) * scale))]++;
  return { lowest, highest, counts };
}
