/** Helpers that the optimizers share. */
import type { HostArray, Tensor, Tensors } from "../graph/index.js";
import { add, mul } from "../graph/index.js";

/** A record with the same keys. */
export const mapRecord = <T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, key: string) => U,
): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));

export const zerosLike = (parameters: Readonly<Record<string, HostArray>>): Record<string, HostArray> =>
  mapRecord(parameters, ({ data, shape }) => ({ data: new Float32Array(data.length), shape }));

/** Whether a parameter is a method's own scalar, such as `conv2.own.positive`: a scale, not a weight. */
export const isMethodScalar = (name: string): boolean => name.includes(".own.");

/**
 * g + weightDecay·p for every parameter p, the L2 term as PyTorch adds it. A method's own scalars
 * do not decay.
 */
export function decayed(
  gradients: Tensors,
  parameters: Tensors,
  weightDecay: number,
): Record<string, Tensor> {
  return mapRecord(parameters, (p, name) =>
    weightDecay === 0 || isMethodScalar(name) ? gradients[name] : add(gradients[name], mul(p, weightDecay)),
  );
}
