/**
 * Augmentation of training images: a small rotation, then a random crop of the padded image.
 *
 * What happens to an image is a function of (seed, epoch, image) alone: see `batches.ts`.
 */

export interface Augmentation {
  /** Rotate about the centre by an angle uniform in ±`rotation` degrees; nearest neighbour, 0 outside. */
  readonly rotation?: number;
  /** Then pad each side with so many zeros and crop the original size at a uniformly chosen place. */
  readonly cropPadding?: number;
}

/** One draw: the clockwise rotation in radians, and where the crop begins, counted from the unpadded image's corner. */
export interface Placement {
  readonly angle: number;
  readonly top: number;
  readonly left: number;
}

/** The placement that three random 32-bit words stand for. */
export function placementOf({ rotation = 0, cropPadding = 0 }: Augmentation, words: Uint32Array): Placement {
  const places = 2 * cropPadding + 1;
  return {
    angle: ((rotation * Math.PI) / 180) * ((words[0] / 2 ** 32) * 2 - 1),
    top: Math.floor((words[1] / 2 ** 32) * places) - cropPadding,
    left: Math.floor((words[2] / 2 ** 32) * places) - cropPadding,
  };
}

/**
 * For each output pixel, the index of the input pixel that lands on it, or -1 where nothing does.
 *
 * Pixel centres are at half integers. An output pixel lies at (row + top, column + left) of the
 * rotated image; one inside it comes from the input pixel that holds its centre p rotated back:
 * R(-angle)·(p - c) + c, with c the image's centre (as torchvision's RandomRotation does).
 */
export function sourcePixels(
  height: number,
  width: number,
  { angle, top, left }: Placement,
  out: Int32Array,
): void {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const centreX = width / 2;
  const centreY = height / 2;
  for (let row = 0, i = 0; row < height; row++) {
    const y = row + top;
    const rowInside = y >= 0 && y < height;
    const dy = y + 0.5 - centreY;
    const fromRowX = centreX + sin * dy;
    const fromRowY = centreY + cos * dy;
    for (let column = 0; column < width; column++, i++) {
      const x = column + left;
      const dx = x + 0.5 - centreX;
      const sourceX = fromRowX + cos * dx;
      const sourceY = fromRowY - sin * dx;
      const inside =
        rowInside &&
        x >= 0 &&
        x < width &&
        sourceX >= 0 &&
        sourceX < width &&
        sourceY >= 0 &&
        sourceY < height;
      out[i] = inside ? Math.floor(sourceY) * width + Math.floor(sourceX) : -1;
    }
  }
}
