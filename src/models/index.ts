/** The networks by name, as the library, the command line and configuration files give them. */
import { firstLineOf, suggestion, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import { guarded, registryOf } from "../errors/registry.js";
import type { Network } from "../nn/index.js";
import { checkNetwork } from "../nn/index.js";
import { alexnet } from "./alexnet.js";
import { imageNet } from "./imagenet.js";
import { lenet5 } from "./lenet5.js";
import { imageNetResnet } from "./resnet-imagenet.js";
import { depths, isDepth, resnet, resnet18, resnet20, resnet50 } from "./resnet.js";
import { vgg16 } from "./vgg16.js";

/** `resnet` makes one of a given depth. */
export const models = {
  alexnet: alexnet("paper"),
  lenet5,
  resnet,
  resnet18,
  resnet20,
  resnet50,
  vgg16,
} as const satisfies Readonly<Record<string, Network | ((depth: number) => Network)>>;

/** The networks that the framework of the published table has in another form than `models`: what preset "redbit" trains. */
export const redbitModels = {
  alexnet: alexnet("redbit"),
  resnet18: imageNetResnet(18, "redbit"),
  resnet34: imageNetResnet(34, "redbit"),
} as const;

export { depths, isDepth } from "./resnet.js";

/** The networks by name. */
export const modelRegistry = registryOf<Network | ((depth: number) => Network)>("network", models, inFile);

/** The network that a file exports. @throws UserError for anything else, and for one with the name of one of fewbit's */
function inFile(path: string, exported: unknown): Network {
  if (!isObject(exported) || !("build" in exported)) {
    throw new UserError(
      `${path} must have a network as its default export, such as network("mine", { input: [28, 28, 1], classes: 10 }, build)`,
      "model",
    );
  }
  try {
    checkNetwork(exported);
  } catch (error) {
    throw new UserError(`${path}: ${firstLineOf(error)}`, "model");
  }
  const { name } = exported;
  if (Object.hasOwn(models, name) || shippedModel(name) !== undefined) {
    throw new UserError(`the network of ${path} must have a name of its own, got "${name}"`, "model");
  }
  return guarded(path, "model", exported);
}

/** The network of fewbit's that goes by a name, such as "resnet32", in the form that a preset has of it. */
export function shippedModel(name: string, preset?: string): Network | undefined {
  if (preset === "redbit" && Object.hasOwn(redbitModels, name)) {
    return redbitModels[name as keyof typeof redbitModels];
  }
  const model = Object.hasOwn(models, name) ? models[name as keyof typeof models] : undefined;
  if (model !== undefined && typeof model !== "function") return model;
  const depth = depthOf(name);
  return isDepth(depth) ? resnet(depth) : undefined;
}

/** A network in the form that a preset has of it. */
export function inForm(model: Network, preset?: string): Network {
  const isThat = (model.preset ?? "paper") === (preset ?? "paper");
  return isThat ? model : (shippedModel(model.name, preset) ?? model);
}

/** The images that a network takes of ImageNet where no size is asked for: its own, or VGG-16's, whose own are CIFAR-10's. */
export const imageNetInput = (model: Network, preset?: string): Network["input"] =>
  model === vgg16 ? imageNet(preset === "redbit" ? preset : "paper").input : model.input;

/** The depth in the name of a network: 32 of "resnet32"; NaN for another name. */
export const depthOf = (name: string): number => Number(/^resnet(\d+)$/.exec(name)?.[1]);

/**
 * The network of a configuration, in the form that its preset has of it.
 *
 * @throws UserError for an unknown name, and for a depth that is missing, not allowed or too much.
 */
export function modelNamed(name: string, depth?: number, preset?: string): Network {
  const model = modelRegistry.find(name);
  if (model === undefined) {
    const { names } = modelRegistry;
    throw new UserError(
      `model must be one of ${names.join(", ")}, got "${name}"${suggestion(name, names)}`,
      "model",
    );
  }
  if (typeof model === "function") {
    if (depth === undefined) {
      throw new UserError(`depth is needed for model ${name}; give ${depths}`, "depth");
    }
    return inForm(model(depth), preset);
  }
  if (depth !== undefined) {
    throw new UserError(`depth has no effect on model ${name}; it goes with model resnet`, "depth");
  }
  return inForm(model, preset);
}
