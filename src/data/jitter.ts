/**
 * Colour jitter: brightness, contrast and saturation changed at random, by the formulas of torchvision's ColorJitter on
 * bytes. Its sums and products are of 32-bit floats, and a result is cut to a whole number.
 */

/** The factors by which an image is changed, 1 for not at all, and the order of the changes. */
export interface ColorJitter {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly order: readonly ("brightness" | "contrast" | "saturation")[];
}

const orders: readonly ColorJitter["order"][] = [
  ["brightness", "contrast", "saturation"],
  ["brightness", "saturation", "contrast"],
  ["contrast", "brightness", "saturation"],
  ["contrast", "saturation", "brightness"],
  ["saturation", "brightness", "contrast"],
  ["saturation", "contrast", "brightness"],
];

/** The jitter that four random 32-bit words stand for: factors in 1 - strength to 1 + strength, in one of the six orders. */
export function jitterOf(strength: number, words: Uint32Array): ColorJitter {
  const factor = (word: number): number => 1 + strength * ((2 * word) / 2 ** 32 - 1);
  const [brightness, contrast, saturation] = Array.from(words.subarray(0, 3), factor);
  return { brightness, contrast, saturation, order: orders[Math.floor((words[3] / 2 ** 32) * 6)] };
}

const { fround } = Math;

/** Changes an image [height, width, channels] of bytes where it lies. One channel is grey, which has no saturation. */
export function applyJitter(pixels: Uint8Array, channels: 1 | 3, jitter: ColorJitter): void {
  for (const kind of jitter.order) {
    const factor = jitter[kind];
    if (kind === "brightness") mix(pixels, 0, factor);
    else if (kind === "contrast") mix(pixels, meanGrey(pixels, channels), factor);
    else if (channels === 3) saturate(pixels, factor);
  }
}

/** factor x + (1 - factor) other, as a byte. */
const mixed = (x: number, of: number, rest: number): number =>
  Math.min(255, Math.max(0, Math.trunc(fround(fround(of * x) + rest))));

/** Mixes all values with one. */
function mix(pixels: Uint8Array, other: number, factor: number): void {
  const [of, rest] = [fround(factor), fround(fround(1 - factor) * other)];
  const table = Uint8Array.from({ length: 256 }, (_, x) => mixed(x, of, rest));
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[pixels[i]];
}

/** Mixes each pixel with its grey. */
function saturate(pixels: Uint8Array, factor: number): void {
  const [of, other] = [fround(factor), fround(1 - factor)];
  for (let i = 0; i < pixels.length; i += 3) {
    const rest = fround(other * greyAt(pixels, i));
    for (let c = i; c < i + 3; c++) pixels[c] = mixed(pixels[c], of, rest);
  }
}

const [red, green, blue] = [0.2989, 0.587, 0.114].map(fround);

/** The grey of a pixel of colours, cut to a whole number. */
const greyAt = (pixels: Uint8Array, i: number): number =>
  Math.trunc(
    fround(fround(fround(red * pixels[i]) + fround(green * pixels[i + 1])) + fround(blue * pixels[i + 2])),
  );

function meanGrey(pixels: Uint8Array, channels: 1 | 3): number {
  let sum = 0;
  for (let i = 0; i < pixels.length; i += channels) sum += channels === 3 ? greyAt(pixels, i) : pixels[i];
  return fround(sum / (pixels.length / channels));
}
