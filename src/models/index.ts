/** The networks by name, as the library, the command line and configuration files give them. */
import { suggestion, UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import { lenet5 } from "./lenet5.js";

export const models = { lenet5 } as const satisfies Readonly<Record<string, Network>>;

/** @throws UserError for an unknown name. */
export function modelNamed(name: string): Network {
  if (!Object.hasOwn(models, name)) {
    const names = Object.keys(models);
    throw new UserError(
      `model must be one of ${names.join(", ")}, got "${name}"${suggestion(name, names)}`,
      "model",
    );
  }
  return models[name as keyof typeof models];
}
