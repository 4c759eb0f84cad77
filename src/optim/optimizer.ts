/** What an optimizer is: pure functions of flat records of tensors, so that any step can use one. */
import type { HostArray, Tensor } from "../graph/index.js";

export type Tensors = Readonly<Record<string, Tensor>>;

export interface Optimizer {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The base rate, which a schedule scales. */
  readonly learningRate: number;
  /** Its own tensors before the first step: for each of its moments, zeros like every parameter. */
  initial(parameters: Readonly<Record<string, HostArray>>): Record<string, Record<string, HostArray>>;
  /** What changes from step to step (the first is 1), computed in double: the `scalars` of `update`. */
  scalars(step: number, learningRate: number): Record<string, number>;
  /**
   * The parameters and own tensors after a step. Every parameter needs a gradient of its name.
   * `steady` names parameters without momentum.
   */
  update(
    parameters: Tensors,
    gradients: Tensors,
    own: Readonly<Record<string, Tensors>>,
    scalars: Tensors,
    steady?: (name: string) => boolean,
  ): { parameters: Record<string, Tensor>; own: Record<string, Record<string, Tensor>> };
}
