/** Image files as a source: each is decoded whenever a batch asks for it, so that no more than a batch is in memory. */
import type { Placement } from "./augment.js";
import type { DecodeOptions } from "./decode.js";
import { decodeEach } from "./decode.js";
import type { ImageFile } from "./folder.js";
import type { ImageSource } from "./source.js";
import { byteSource } from "./source.js";
import { byteWriter } from "./writer.js";

/**
 * A source of image files, which become images as `options` say.
 *
 * Filling fails with a UserError that names the files which cannot be read, or are no images any more.
 */
export function fileSource(
  files: readonly ImageFile[],
  options: Pick<DecodeOptions, "shape" | "rules" | "imageThreads">,
): ImageSource {
  const write = byteWriter(options.shape);
  const source: Parameters<typeof byteSource>[0] = {
    count: files.length,
    labels: Int32Array.from(files, ({ label }) => label),
    fillBytes(indices, placements: readonly Placement[] | undefined, images) {
      const asked = Array.from(indices, (index) => files[index]);
      return decodeEach(asked, options, (pixels, i) => write(pixels, 0, placements?.[i], images, i));
    },
  };
  return byteSource(source, options.shape);
}
