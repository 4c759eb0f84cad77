/** By which rules image files become pixels. */
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
}

/** The rules of runs that begin now. */
export const decodeRules: Required<DecodeRules> = { resize: "centred", grey: "rec601" };

/** The rules alone of an object that holds them, such as a stored run's preparation; undefined holds those of the first versions. */
export const rulesOf = ({ resize, grey }: DecodeRules = {}): DecodeRules => ({ resize, grey });

/** Whether a value is rules that this fewbit knows. */
export const isRules = (value: unknown): boolean =>
  isObject(value) &&
  Object.entries(value).every(
    ([key, rule]) => rule === undefined || decodeRules[key as keyof DecodeRules] === rule,
  );
