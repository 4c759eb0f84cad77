/** Photographs of many sizes as a source: files that are decoded when a batch asks for them. */
import type { Placement } from "./augment.js";
import type { DecodeOptions } from "./decode.js";
import { decodeEach } from "./decode.js";
import type { Damaged } from "./damaged.js";
import type { DecodeRules } from "./rules.js";
import { frameOf } from "./rules.js";
import type { ImageSource, Placer } from "./source.js";
import { byteSource } from "./source.js";
import type { LabelledFiles } from "./stored.js";
import type { Unreadable } from "./unreadable.js";
import { byteWriter } from "./writer.js";

/** How a source's photographs are shown. */
export interface PhotoOptions extends Pick<DecodeOptions, "imageThreads"> {
  /** Height, width and channels of what is shown. */
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly rules: DecodeRules;
  /**
   * What placers crop: "frames" as `rules` have them, or the photographs as they are, whose crop is then scaled to what is
   * shown.
   */
  readonly crops: "frames" | "photographs";
  /** Hears of the files that are damaged, which are then left out of batches. Default: they are refused. */
  readonly damaged?: Damaged;
}

/**
 * Photographs of which nothing is in memory until a batch asks for them.
 *
 * Filling fails with a UserError that names the files which cannot be read, are no images, or have changed since they were
 * listed.
 */
export function photoSource(
  { files, indices, labels }: LabelledFiles,
  { shape, rules, crops, imageThreads, damaged }: PhotoOptions,
): ImageSource {
  const frame = frameOf(shape);
  const ofFrame = byteWriter(shape, frame);
  const whole = byteWriter(shape);
  const source: Parameters<typeof byteSource>[0] = {
    varies: true,
    count: indices.length,
    labels,
    async fillBytes(chosen, placer: Placer | undefined, images) {
      const numbers = Array.from(chosen, (i) => indices[i]);
      const asked = numbers.map((number) => files.image(number));
      const leftOut: number[] = [];
      const onDamaged =
        damaged &&
        ((file: Unreadable, i: number): void => {
          leftOut.push(i);
          damaged.add(file);
        });
      const sizes = numbers.map((number) => files.sizes[number]);
      const listed = { rules, imageThreads, onDamaged, sizes };
      if (placer === undefined || crops === "frames") {
        await decodeEach(asked, { ...listed, shape: frame, isFrame: true }, (pixels, i) =>
          ofFrame(pixels, 0, placer?.(i, [frame[0], frame[1]]), images, i),
        );
        return leftOut.length > 0 ? leftOut : undefined;
      }
      const placements: Placement[] = [];
      const crop: Placer = (i, size) => (placements[i] = placer(i, size));
      const shown = { top: 0, left: 0, height: shape[0], width: shape[1] };
      await decodeEach(asked, { ...listed, shape, crop }, (pixels, i) =>
        whole(pixels, 0, { ...placements[i], ...shown }, images, i),
      );
      return leftOut.length > 0 ? leftOut : undefined;
    },
  };
  return byteSource(source, shape);
}
