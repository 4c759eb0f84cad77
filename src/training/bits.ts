/** The bits of weights and of activations in one word: "1/2", or "w1a2" as in names of runs. */
import { z } from "zod";
import { shown, UserError } from "../errors.js";
import type { Bits } from "../quantization/index.js";

/** The key of a configuration that sets the bits of weights and of activations in one word. */
export const bitsKey = "bits";

const forms = [/^(\d+)\/(\d+)$/, /^w(\d+)a(\d+)$/] as const;

/** The schema of a pair, for editors. The two settings that it stands for check the bits. */
export const bitsPair = z.union(forms.map((form) => z.string().regex(form)));

/** @throws UserError for anything but a pair. */
export function bitsOf(pair: unknown, source: string): Bits {
  const match = forms.map((form) => form.exec(String(pair))).find((found) => found !== null);
  const [, weightBits, activationBits] = match ?? [];
  if (weightBits === undefined) {
    throw new UserError(
      `bits must be WEIGHTS/ACTIVATIONS, such as "2/4" or "w2a4", got ${shown(pair)} (from ${source})`,
      bitsKey,
    );
  }
  return { weightBits: Number(weightBits), activationBits: Number(activationBits) };
}

/** A configuration with its pair of bits as the two settings that it stands for. @throws UserError if it has both. */
export function withBits(
  values: Readonly<Record<string, unknown>>,
  sourceOf: (key: string) => string,
): Record<string, unknown> {
  const { bits, ...rest } = values;
  if (bits === undefined) return rest;
  const source = sourceOf(bitsKey);
  const pair = bitsOf(bits, source);
  if (rest.weightBits === undefined && rest.activationBits === undefined) return { ...rest, ...pair };
  throw new UserError(
    `bits ${shown(bits)} and weightBits or activationBits exclude each other (from ${source})`,
    bitsKey,
  );
}
