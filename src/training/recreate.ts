/** Recreates the parts of a stored run that are fewbit's own, without loading code. */
import { dataSetNamed } from "../data/index.js";
import { UserError } from "../errors.js";
import { depthOf, inForm, models, shippedModel } from "../models/index.js";
import type { Network } from "../nn/index.js";
import { fitted } from "../nn/index.js";
import type { Method, MethodOptions } from "../quantization/index.js";
import { createMethod, methods } from "../quantization/index.js";
import { withoutIdleCode } from "./code.js";
import { parseRunOptions, resolveNetwork } from "./config.js";
import type { RunConfig } from "../run-folder/index.js";
import { keysWhere, runSchema } from "./settings.js";

/** The parts that the caller gives for a run with a network or method of its own. */
export interface OwnParts {
  readonly model?: Network;
  readonly method?: Method;
}

/**
 * @param own the parts that are not fewbit's.
 * @throws UserError for a network or method that is neither fewbit's nor given by the caller.
 */
export function recreate(
  directory: string,
  config: RunConfig,
  own: OwnParts,
): { readonly model: Network; readonly method: Method } {
  const { model = ownModel(directory, config), method = ownMethod(directory, config) } = own;
  return { model: fitted(model, { input: config.model.input, classes: config.model.classes }), method };
}

/** The network for a run's images and classes, in the form that the run has, whatever its method's preset. */
export const asTrained = (model: Network, { model: stored }: RunConfig): Network =>
  fitted(inForm(model, stored.preset), stored);

/** The settings given on the command line, if a run was trained there. */
function commandLine({ options }: RunConfig) {
  if (options === undefined) return undefined;
  const values = withoutIdleCode(options, ["model", "method"]);
  if (!runSchema.safeParse(values).success) return undefined;
  return resolveNetwork(parseRunOptions({ ...values }, () => "config.json"));
}

const ofMethods: readonly string[] = keysWhere(({ part }) => part === "method");

/** The options of a method that are known settings: the folder may come from a stranger. */
const settingsAmong = (options: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(options).filter(([key]) => ofMethods.includes(key)));

/** The configuration of a run that was trained from code: those of network, method and data that are fewbit's own. */
export function configurationOf({ model, method, data }: RunConfig): Readonly<Record<string, unknown>> {
  const isShipped = Object.hasOwn(models, model.name);
  const network = isShipped ? { model: model.name } : { model: "resnet", depth: depthOf(model.name) };
  // What made the methods of single layers is not stored.
  const isRegistered = Object.hasOwn(methods, method.name) && method.options.layers === undefined;
  return {
    ...(shippedModel(model.name) === undefined ? {} : network),
    ...(isRegistered ? { ...settingsAmong(method.options), method: method.name } : {}),
    ...(dataSetNamed(data.name) === undefined ? {} : { data: data.name }),
  };
}

function ownModel(directory: string, config: RunConfig): Network {
  const { name, preset } = config.model;
  const model = config.code?.model === undefined ? shippedModel(name, preset) : undefined;
  if (model !== undefined) return model;
  throw new UserError(
    `${directory} was trained with a network of its own, ${name}; give it as model`,
    "model",
  );
}

function ownMethod(directory: string, config: RunConfig): Method {
  const fromCommandLine = commandLine(config)?.method;
  if (fromCommandLine !== undefined) return fromCommandLine;
  const { name, options } = config.method;
  // What made the methods of single layers is not stored.
  if (Object.hasOwn(methods, name) && options.layers === undefined) {
    return createMethod(name, options as MethodOptions);
  }
  throw new UserError(
    `${directory} was trained with a method of its own, ${name}; give it as method`,
    "method",
  );
}
