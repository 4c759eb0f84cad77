/** A cell of the published table. */

/** A cell as `rows.ts` lists it. */
export type PublishedTuple = readonly [
  dataset: "MNIST" | "CIFAR-10" | "ImageNet",
  model: string,
  method: string,
  weightBits: number,
  activationBits: number,
  optimizer: "adam" | "sgd" | null,
  learningRate: number | null,
  weightDecay: number,
  batchSize: number | null,
  top1: number | null,
  top5: number | null,
];

/** A cell of the table. */
export interface PublishedRow {
  readonly dataset: PublishedTuple[0];
  readonly model: string;
  readonly method: string;
  /** 2 for ternary weights. */
  readonly weightBits: number;
  readonly activationBits: number;
  /** Null, as the rate: not reported. Momentum of SGD is 0.9. */
  readonly optimizer: PublishedTuple[5];
  readonly learningRate: number | null;
  readonly weightDecay: number;
  readonly batchSize: number | null;
  /** Best accuracy over all epochs on the test set, percent; null: not reported. */
  readonly top1: number | null;
  readonly top5: number | null;
}
