/** Checks of the options that methods take. */
import { UserError } from "../errors.js";

/** The bits that uniform quantizers take; 32 is full precision. */
export const uniformBits: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 32];

/** @throws UserError unless `bits` is an integer from 1 to 8 or 32. */
export function checkBits(field: string, bits: unknown): void {
  if (!uniformBits.includes(bits as number)) {
    throw new UserError(`${field} must be an integer from 1 to 8 or 32, got ${String(bits)}`, field);
  }
}

/** @throws UserError unless the method has the preset. */
export function checkPreset(method: string, preset: string, allowed: readonly string[]): void {
  if (!allowed.includes(preset)) {
    const names = allowed.map((name) => `"${name}"`).join(" or ");
    throw new UserError(`preset must be ${names} for ${method}, got "${preset}"`, "preset");
  }
}
