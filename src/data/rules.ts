/** The rules by which image files become pixels. */
import { isObject } from "../errors/options.js";

/**
 * The rules of a run, which hold for all images that its network is ever asked about. A rule that is
 * absent is that of the first versions.
 */
export interface DecodeRules {
  /** "centred": an enlarged image lies centre to centre on the small one. The first versions laid it half an output pixel too far right and down. */
  readonly resize?: "centred";
  /** "rec601": 0.299 R + 0.587 G + 0.114 B of sRGB's values. The first versions took the luminance in linear light. */
  readonly grey?: "rec601";
  /**
   * "accurate": what the decoder does fast, as it reads a JPEG or WebP, leaves at least a factor of two of a reduction to
   * the accurate filter. In the first versions it left nothing where it could, and a JPEG was told from a PNG of the same pixels.
   */
  readonly reduce?: "accurate";
  /**
   * "all": a folder's files are of all formats that are read, and its sets have all usual names (see `layout.ts`). The
   * first versions left out BMP, PNM, .jfif and .jpe, and knew train, test and val alone.
   */
  readonly files?: "all";
}

/** The rules of runs that begin now. */
export const decodeRules: Required<DecodeRules> = {
  resize: "centred",
  grey: "rec601",
  reduce: "accurate",
  files: "all",
};

/** The rules alone of an object that holds them, such as a stored run's preparation; undefined holds those of the first versions. */
export const rulesOf = ({ resize, grey, reduce, files }: DecodeRules = {}): DecodeRules => ({
  resize,
  grey,
  reduce,
  files,
});

/** What rules may be, in words. */
export const allowedRules = `rules of { ${Object.entries(decodeRules)
  .map(([key, rule]) => `${key}: "${rule}"`)
  .join(", ")} }, all or some`;

/** Whether a value is rules that this fewbit knows. */
export const isRules = (value: unknown): boolean =>
  isObject(value) &&
  Object.entries(value).every(
    ([key, rule]) => rule === undefined || decodeRules[key as keyof DecodeRules] === rule,
  );
