/** The networks by name, as the library, the command line and configuration files give them. */
import { suggestion, UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import { lenet5 } from "./lenet5.js";
import { depths, resnet, resnet20, resnet50 } from "./resnet.js";
import { vgg16 } from "./vgg16.js";

/** `resnet` makes one of a given depth. */
export const models = { lenet5, resnet, resnet20, resnet50, vgg16 } as const satisfies Readonly<
  Record<string, Network | ((depth: number) => Network)>
>;

export { depths, isDepth } from "./resnet.js";

export const modelNames: readonly string[] = Object.keys(models);

/** @throws UserError for an unknown name, and for a depth that is missing, not allowed or too much. */
export function modelNamed(name: string, depth?: number): Network {
  if (!Object.hasOwn(models, name)) {
    throw new UserError(
      `model must be one of ${modelNames.join(", ")}, got "${name}"${suggestion(name, modelNames)}`,
      "model",
    );
  }
  const model = models[name as keyof typeof models];
  if (typeof model === "function") {
    if (depth === undefined) {
      throw new UserError(`depth is needed for model ${name}; give ${depths}`, "depth");
    }
    return model(depth);
  }
  if (depth !== undefined) {
    throw new UserError(`depth has no effect on model ${name}; it goes with model resnet`, "depth");
  }
  return model;
}
