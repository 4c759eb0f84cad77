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

/** One draw. */
export interface Placement {
  /** The clockwise rotation in radians. */
  readonly angle: number;
  /** Where the crop begins, counted from the unpadded image's corner. */
  readonly top: number;
  readonly left: number;
  readonly flipped: boolean;
}

/** The placement that four random 32-bit words stand for. */
export function placementOf(augmentation: Augmentation, words: Uint32Array): Placement {
  const { rotation = 0, cropPadding = 0, flip = false } = augmentation;
  const places = 2 * cropPadding + 1;
  return {
    angle: ((rotation * Math.PI) / 180) * ((words[0] / 2 ** 32) * 2 - 1),
    top: Math.floor((words[1] / 2 ** 32) * places) - cropPadding,
    left: Math.floor((words[2] / 2 ** 32) * places) - cropPadding,
    flipped: flip && words[3] >= 2 ** 31,
  };
}

/**
 * A function that writes for each output pixel the index of the input pixel that lands on it, or -1
 * where nothing does.
 *
 * Pixel centres are at half integers. An output pixel lies at (row + top, column + left) of the
 * rotated image; one inside it comes from the input pixel that holds its centre p rotated back:
 * R(-angle)·(p - c) + c, with c the image's centre (as torchvision's RandomRotation does). One outside
 * is reflected at the edge, or nothing.
 */
export function pixelSource(
  height: number,
  width: number,
  { padding = "zeros" }: Augmentation = {},
): (placement: Placement, out: Int32Array) => void {
  const reflects = padding === "reflection";
  /** Of the rotated image, for each output row and column; -1 outside. */
  const rows = new Int32Array(height);
  const columns = new Int32Array(width);
  return ({ angle, top, left, flipped }, out) => {
    for (let row = 0; row < height; row++) rows[row] = within(row + top, height, reflects);
    for (let column = 0; column < width; column++) {
      columns[flipped ? width - 1 - column : column] = within(column + left, width, reflects);
    }
    if (angle === 0) moved(rows, columns, out);
    else turned(rows, columns, angle, out);
  };
}

/** A place in 0..extent-1, reflected as often as it takes; or -1. */
function within(place: number, extent: number, reflects: boolean): number {
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
