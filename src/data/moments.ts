/** Mean and standard deviation of images of bytes. */
import type { Dataset } from "./dataset.js";

/** Counts how often each channel has each of the 256 values, so that mean and deviation are exact in any order. */
export class Moments {
  private readonly counts: readonly Float64Array[];

  constructor(channels: number) {
    this.counts = Array.from({ length: channels }, () => new Float64Array(256));
  }

  /** Counts an image's bytes [height, width, channels] in. */
  add(pixels: Uint8Array): void {
    const { counts } = this;
    for (let i = 0; i < pixels.length;) for (const count of counts) count[pixels[i++]]++;
  }

  /** The mean and deviation of the values / 255 in each channel; a deviation is 0 where a channel has one value only. */
  get result(): Pick<Dataset, "mean" | "std"> {
    const { counts } = this;
    const total = counts[0].reduce((sum, times) => sum + times, 0);
    const average = (f: (value: number) => number) => (count: Float64Array) =>
      count.reduce((sum, times, value) => sum + times * f(value), 0) / total;
    const mean = counts.map(average((value) => value));
    const std = counts.map((count, c) => Math.sqrt(average((value) => (value - mean[c]) ** 2)(count)));
    return { mean: mean.map((value) => value / 255), std: std.map((value) => value / 255) };
  }
}
