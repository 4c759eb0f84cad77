/** The rules by which image files become pixels. */
import { isObject } from "../errors/options.js";

/**
 * The rules of a run, which hold for all images that its network is ever asked about. A rule that is
 * absent is that of the first versions.
 */
export interface DecodeRules {
  /**
   * "triangle": an image becomes another size by the triangle filter, as Pillow's BILINEAR and so torchvision's Resize make
   * it (see `photograph.ts`); grey is that of `rec601` then, and nothing is reduced fast. "centred": by the decoder's Lanczos
   * filter where it becomes smaller, by cubic convolution where it becomes larger, centre to centre on the small one. The
   * first versions laid an enlarged image half an output pixel too far right and down.
   */
  readonly resize?: "centred" | "triangle";
  /** "rec601": 0.299 R + 0.587 G + 0.114 B of sRGB's values. The first versions took the luminance in linear light. */
  readonly grey?: "rec601";
  /**
   * "accurate": what the decoder does fast, as it reads a JPEG or WebP, leaves at least a factor of two of a reduction
   * to the accurate filter. In the first versions it left nothing where it could, and a JPEG could be distinguished
   * from a PNG of the same pixels.
   */
  readonly reduce?: "accurate";
  /**
   * "all": a folder's files are of all formats that are read, and its sets have all usual names (see `layout.ts`). The
   * first versions left out BMP, PNM, .jfif and .jpe, and knew train, test and val alone.
   */
  readonly files?: "all";
  /**
   * A frame that is a seventh larger than what a network takes (see `frameOf`): "covered" by the image as it is otherwise
   * covered, "stretched" where the image becomes the frame whatever its shape. The middle of the frame is shown, and
   * augmentation shows other parts. Without a frame, the image covers what the network takes.
   */
  readonly frame?: "covered" | "stretched";
  /**
   * "pillow": what `Image.open(file).convert("RGB").resize(size, BILINEAR)` gives: neither turned as the camera says nor
   * in the colours of a profile, opacity left out, and the triangle filter.
   */
  readonly reader?: "pillow";
}

/** The rules of runs that begin now, on data sets that have none of their own. */
export const decodeRules: Required<Omit<DecodeRules, "frame" | "reader">> = {
  resize: "triangle",
  grey: "rec601",
  reduce: "accurate",
  files: "all",
};

/** What each rule may be. */
export const ruleValues: { readonly [Key in keyof Required<DecodeRules>]: readonly string[] } = {
  resize: ["triangle", "centred"],
  grey: ["rec601"],
  reduce: ["accurate"],
  files: ["all"],
  frame: ["covered", "stretched"],
  reader: ["pillow"],
};

/** The rules alone of an object that holds them, such as a stored run's preparation; undefined holds those of the first versions. */
export const rulesOf = (rules: DecodeRules = {}): DecodeRules =>
  Object.fromEntries(Object.keys(ruleValues).map((key) => [key, rules[key as keyof DecodeRules]]));

/** What rules may be, in words. */
export const allowedRules = `rules of { ${Object.entries(ruleValues)
  .map(([key, values]) => `${key}: ${values.map((value) => `"${value}"`).join(" or ")}`)
  .join(", ")} }, all or some`;

/** Whether a value is rules that this fewbit knows. */
export const isRules = (value: unknown): boolean =>
  isObject(value) &&
  Object.entries(value).every(
    ([key, rule]) =>
      rule === undefined ||
      (Object.hasOwn(ruleValues, key) && ruleValues[key as keyof DecodeRules].includes(rule as string)),
  );

type Shape = readonly [height: number, width: number, channels: number];

/**
 * The frame of images of a size: 256 pixels for the 224 and 227 that networks for ImageNet take, and as much larger for
 * others.
 */
export const frameOf = ([height, width, channels]: Shape): Shape => {
  const side = (extent: number) => (extent === 227 ? 256 : Math.round((extent * 8) / 7));
  return [side(height), side(width), channels];
};
