/** What may be a mistake in a data set of image files, although a network can be trained on it. */
import { createHash } from "node:crypto";

/** Counts test images that are also trained on, and images of one colour. The training images are added first. */
export class Doubts {
  private readonly learned = new Set<string>();
  private images = 0;
  private tested = 0;
  private seen = 0;
  private flat = 0;

  constructor(private readonly channels: number) {}

  /** Counts an image's bytes in. */
  add(pixels: Uint8Array, set: "train" | "test"): void {
    const digest = createHash("sha1").update(pixels).digest("base64");
    this.images++;
    if (isOfOneColour(pixels, this.channels)) this.flat++;
    if (set === "train") this.learned.add(digest);
    else {
      this.tested++;
      if (this.learned.has(digest)) this.seen++;
    }
  }

  /** The doubts, counted in words; undefined if there are none. */
  get text(): string | undefined {
    const { seen, tested, flat, images } = this;
    const parts = [
      ...(seen === 0 ? [] : [`${seen} of ${tested} test images are among the training images too`]),
      ...(flat === 0 ? [] : [`${flat} of ${images} images are of one colour`]),
    ];
    return parts.length === 0 ? undefined : parts.join("; ");
  }
}

const isOfOneColour = (pixels: Uint8Array, channels: number): boolean =>
  pixels.length > channels && pixels.every((value, i) => i < channels || value === pixels[i - channels]);
