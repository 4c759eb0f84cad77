/** Checks of the options that methods take. */
import { suggestion, UserError } from "../errors.js";

/** The bits that uniform quantizers take; 32 is full precision. */
export const uniformBits: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 32];

/** @throws UserError unless `bits` is an integer from 1 to 8 or 32. */
export function checkBits(field: string, bits: unknown): void {
  if (!uniformBits.includes(bits as number)) {
    throw new UserError(`${field} must be an integer from 1 to 8 or 32, got ${String(bits)}`, field);
  }
}

/** @throws UserError unless `value` is one of those allowed. */
export function checkChoice(
  method: string,
  field: string,
  value: unknown,
  allowed: readonly unknown[],
): void {
  if (!allowed.includes(value)) {
    throw new UserError(
      `${field} must be ${allowed.join(" or ")} for ${method}, got ${String(value)}`,
      field,
    );
  }
}

export const presets = ["paper", "redbit"] as const;

/** @throws UserError for a preset that is none of a method's. */
export function checkPreset(method: string, preset: unknown, allowed: readonly string[] = presets): void {
  if (!allowed.includes(preset as string)) {
    const names = allowed.map((name) => `"${name}"`).join(" or ");
    throw new UserError(
      `preset must be ${names} for ${method}, got "${String(preset)}"${suggestion(preset, allowed)}`,
      "preset",
    );
  }
}
