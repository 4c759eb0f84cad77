/**
 * Augmentation of training images: a small rotation, then a random crop of the padded image, then a
 * mirror image in half of the draws.
 *
 * What happens to an image is a function of (seed, epoch, image) alone: see `batches.ts`.
 */

export interface Augmentation {
  /** Rotate about the centre by an angle uniform in ±`rotation` degrees; nearest neighbour, 0 outside. */
  readonly rotation?: number;
  /** Then pad each side with so many pixels and crop the original size at a uniformly chosen place. */
  readonly cropPadding?: number;
  /** What is padded with: 0, or the image reflected at its edge, which is not repeated. Default zeros. */
  readonly padding?: "zeros" | "reflection";
  /** Then exchange left and right in half of the draws. */
  readonly flip?: boolean;
}

/**
 * What a batch shows of an image: a rectangle of it, turned and mirrored. An augmentation draws it, and the image's source
 * carries it out (see `source.ts`). Lengths are in pixels of the image as it is without a placement.
 */
export interface Placement {
  /** The clockwise rotation about the image's centre in radians, before the crop. */
  readonly angle: number;
  /**
   * The crop, which becomes the whole of what is shown. It may reach beyond the image, begin within a pixel, and have
   * another size than what is shown: then it is scaled.
   */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /** Whether left and right are exchanged, after the crop. */
  readonly flipped: boolean;
  /** What lies outside the image: 0, or the image reflected at its edge, which is not repeated. */
  readonly padding: "zeros" | "reflection";
}

/** The placement that four random 32-bit words stand for, of an image of the given height and width. */
export function placementOf(
  augmentation: Augmentation,
  words: Uint32Array,
  [height, width]: readonly [height: number, width: number, ...more: number[]],
): Placement {
  const { rotation = 0, cropPadding = 0, padding = "zeros", flip = false } = augmentation;
  const places = 2 * cropPadding + 1;
  return {
    angle: ((rotation * Math.PI) / 180) * ((words[0] / 2 ** 32) * 2 - 1),
    top: Math.floor((words[1] / 2 ** 32) * places) - cropPadding,
    left: Math.floor((words[2] / 2 ** 32) * places) - cropPadding,
    height,
    width,
    flipped: flip && words[3] >= 2 ** 31,
    padding,
  };
}

/**
 * A function that writes for each output pixel the index of the input pixel that lands on it, or -1
 * where nothing does. Images of `height` x `width` pixels become images of the same size.
 *
 * Pixel centres are at half integers. The centre of output pixel (row, column) lies in the rotated image at
 * (top + (row + 1/2) cropHeight / height, left + (column + 1/2) cropWidth / width), in some pixel of that; its
 * value is that of the input pixel that holds this pixel's centre p rotated back: R(-angle)·(p - c) + c, with c the
 * image's centre (as torchvision's RandomRotation does). A pixel outside is reflected at the edge, or nothing.
 */
export function pixelSource(height: number, width: number): (placement: Placement, out: Int32Array) => void {
  /** The row and column of the rotated image for each output row and column; -1 outside. */
  const rows = new Int32Array(height);
  const columns = new Int32Array(width);
  return ({ angle, top, left, height: cropHeight, width: cropWidth, flipped, padding }, out) => {
    const reflects = padding === "reflection";
    const [down, across] = [cropHeight / height, cropWidth / width];
    for (let row = 0; row < height; row++) {
      rows[row] = pixelAt(Math.floor(top + (row + 0.5) * down), height, reflects);
    }
    for (let column = 0; column < width; column++) {
      const place = pixelAt(Math.floor(left + (column + 0.5) * across), width, reflects);
      columns[flipped ? width - 1 - column : column] = place;
    }
    if (angle === 0) moved(rows, columns, out);
    else turned(rows, columns, angle, out);
  };
}

/** A place in 0..extent-1, reflected as often as it takes; or -1. */
function pixelAt(place: number, extent: number, reflects: boolean): number {
  if (place >= 0 && place < extent) return place;
  if (!reflects) return -1;
  if (extent === 1) return 0;
  const period = 2 * (extent - 1);
  const phase = ((place % period) + period) % period;
  return phase < extent ? phase : period - phase;
}

function moved(rows: Int32Array, columns: Int32Array, out: Int32Array): void {
  const width = columns.length;
  for (let row = 0, i = 0; row < rows.length; row++) {
    const y = rows[row];
    for (let column = 0; column < width; column++, i++) {
      const x = columns[column];
      out[i] = y < 0 || x < 0 ? -1 : y * width + x;
    }
  }
}

function turned(rows: Int32Array, columns: Int32Array, angle: number, out: Int32Array): void {
  const [height, width] = [rows.length, columns.length];
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const centreX = width / 2;
  const centreY = height / 2;
  for (let row = 0, i = 0; row < height; row++) {
    const y = rows[row];
    const dy = y + 0.5 - centreY;
    const fromRowX = centreX + sin * dy;
    const fromRowY = centreY + cos * dy;
    for (let column = 0; column < width; column++, i++) {
      const x = columns[column];
      const dx = x + 0.5 - centreX;
      const sourceX = fromRowX + cos * dx;
      const sourceY = fromRowY - sin * dx;
      const inside = y >= 0 && x >= 0 && sourceX >= 0 && sourceX < width && sourceY >= 0 && sourceY < height;
      out[i] = inside ? Math.floor(sourceY) * width + Math.floor(sourceX) : -1;
    }
  }
}
