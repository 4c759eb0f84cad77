/**
 * Augmentation of training images: a small rotation, then a random crop of the padded image, then a
 * mirror image in half of the draws, then other colours.
 *
 * What happens to an image is a function of (seed, epoch, image) alone: see `batches.ts`.
 */
import type { ColorJitter } from "./jitter.js";

/** What is done to training images, in this order; each part is left out where it is not given. */
export interface Augmentation {
  /** Rotate about the centre by an angle uniform in ±`rotation` degrees; nearest neighbour, 0 outside. */
  readonly rotation?: number;
  /** Then pad each side with so many pixels and crop the original size at a uniformly chosen place. */
  readonly cropPadding?: number;
  /** What is padded with: 0, or the image reflected at its edge, which is not repeated. Default zeros. */
  readonly padding?: "zeros" | "reflection";
  /**
   * Instead of all these: crop a part of the image of which area and aspect ratio are drawn from these ranges, the latter
   * on a logarithmic scale, and scale it to what is shown (torchvision's RandomResizedCrop).
   */
  readonly resizedCrop?: {
    readonly area: readonly [least: number, most: number];
    readonly ratio: readonly [least: number, most: number];
  };
  /** Then exchange left and right in half of the draws. */
  readonly flip?: boolean;
  /**
   * Last, change brightness, contrast and saturation by factors drawn from 1 - `colorJitter` to 1 + `colorJitter`, in a random
   * order (torchvision's ColorJitter): of images of bytes, with 1 or 3 channels.
   */
  readonly colorJitter?: number;
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
  /** How the colours of what is then shown are changed; absent: not at all. */
  readonly jitter?: ColorJitter;
}

/**
 * The placement that four random 32-bit words stand for, of an image of the given height and width.
 *
 * @param frame the height and width of the frame that is cropped. Default: those of the image.
 */
export function placementOf(
  augmentation: Augmentation,
  words: Uint32Array,
  [height, width]: readonly [height: number, width: number, ...more: number[]],
  frame: readonly [height: number, width: number, ...more: number[]] = [height, width],
): Placement {
  const { rotation = 0, cropPadding = 0, padding = "zeros", flip = false } = augmentation;
  const place = (word: number, spare: number) =>
    Math.floor((word / 2 ** 32) * (2 * cropPadding + spare + 1)) - cropPadding;
  return {
    angle: ((rotation * Math.PI) / 180) * ((words[0] / 2 ** 32) * 2 - 1),
    top: place(words[1], frame[0] - height),
    left: place(words[2], frame[1] - width),
    height,
    width,
    flipped: flip && words[3] >= 2 ** 31,
    padding,
  };
}

/** How often a crop is drawn that may not fit. */
const attempts = 10;

/**
 * The part of an image of the given height and width that `resizedCrop` shows; the middle, as much of it as the ratios
 * allow, where none of ten draws fits.
 *
 * @param words gives four random 32-bit words for each number from 0 to 10.
 */
export function resizedCropOf(
  { resizedCrop, flip = false }: Augmentation & Required<Pick<Augmentation, "resizedCrop">>,
  words: (draw: number) => Uint32Array,
  [height, width]: readonly [height: number, width: number],
): Placement {
  const { area, ratio } = resizedCrop;
  const unit = (word: number) => word / 2 ** 32;
  const flipped = flip && words(attempts)[0] >= 2 ** 31;
  const rest = { angle: 0, flipped, padding: "zeros" } as const;
  for (let draw = 0; draw < attempts; draw++) {
    const [u, v, w, z] = Array.from(words(draw), unit);
    const pixels = height * width * (area[0] + u * (area[1] - area[0]));
    const shape = ratio[0] * (ratio[1] / ratio[0]) ** v;
    const [high, wide] = [Math.round(Math.sqrt(pixels / shape)), Math.round(Math.sqrt(pixels * shape))];
    if (high < 1 || wide < 1 || high > height || wide > width) continue;
    const [top, left] = [Math.floor(w * (height - high + 1)), Math.floor(z * (width - wide + 1))];
    return { ...rest, top, left, height: high, width: wide };
  }
  const shape = Math.min(Math.max(width / height, ratio[0]), ratio[1]);
  const high = Math.min(height, Math.round(width / shape));
  const wide = Math.min(width, Math.round(height * shape));
  return { ...rest, top: (height - high) >> 1, left: (width - wide) >> 1, height: high, width: wide };
}

/** The placement that shows the middle of a frame. */
export const middleOf = (
  [height, width]: readonly [height: number, width: number, ...more: number[]],
  frame: readonly [height: number, width: number, ...more: number[]],
): Placement => ({
  angle: 0,
  top: (frame[0] - height) >> 1,
  left: (frame[1] - width) >> 1,
  height,
  width,
  flipped: false,
  padding: "zeros",
});

/**
 * A function that writes for each output pixel the index of the input pixel that lands on it, or -1
 * where nothing does. Images of `height` x `width` pixels become images of `outHeight` x `outWidth`.
 *
 * Pixel centres are at half integers. The centre of output pixel (row, column) lies in the rotated image at
 * (top + (row + 1/2) cropHeight / height, left + (column + 1/2) cropWidth / width), in some pixel of that; its
 * value is that of the input pixel that holds this pixel's centre p rotated back: R(-angle)·(p - c) + c, with c the
 * image's centre (as torchvision's RandomRotation does). A pixel outside is reflected at the edge, or nothing.
 */
export function pixelSource(
  height: number,
  width: number,
  outHeight = height,
  outWidth = width,
): (placement: Placement, out: Int32Array) => void {
  /** The row and column of the rotated image for each output row and column; -1 outside. */
  const rows = new Int32Array(outHeight);
  const columns = new Int32Array(outWidth);
  return ({ angle, top, left, height: cropHeight, width: cropWidth, flipped, padding }, out) => {
    const reflects = padding === "reflection";
    const [down, across] = [cropHeight / outHeight, cropWidth / outWidth];
    for (let row = 0; row < outHeight; row++) {
      rows[row] = pixelAt(Math.floor(top + (row + 0.5) * down), height, reflects);
    }
    for (let column = 0; column < outWidth; column++) {
      const place = pixelAt(Math.floor(left + (column + 0.5) * across), width, reflects);
      columns[flipped ? outWidth - 1 - column : column] = place;
    }
    if (angle === 0) moved(rows, columns, width, out);
    else turned(rows, columns, [height, width], angle, out);
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

function moved(rows: Int32Array, columns: Int32Array, width: number, out: Int32Array): void {
  for (let row = 0, i = 0; row < rows.length; row++) {
    const y = rows[row];
    for (let column = 0; column < columns.length; column++, i++) {
      const x = columns[column];
      out[i] = y < 0 || x < 0 ? -1 : y * width + x;
    }
  }
}

function turned(
  rows: Int32Array,
  columns: Int32Array,
  [height, width]: readonly [height: number, width: number],
  angle: number,
  out: Int32Array,
): void {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const centreX = width / 2;
  const centreY = height / 2;
  for (let row = 0, i = 0; row < rows.length; row++) {
    const y = rows[row];
    const dy = y + 0.5 - centreY;
    const fromRowX = centreX + sin * dy;
    const fromRowY = centreY + cos * dy;
    for (let column = 0; column < columns.length; column++, i++) {
      const x = columns[column];
      const dx = x + 0.5 - centreX;
      const sourceX = fromRowX + cos * dx;
      const sourceY = fromRowY - sin * dx;
      const inside = y >= 0 && x >= 0 && sourceX >= 0 && sourceX < width && sourceY >= 0 && sourceY < height;
      out[i] = inside ? Math.floor(sourceY) * width + Math.floor(sourceX) : -1;
    }
  }
}
