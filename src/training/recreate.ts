/** The network and the method of a stored run, where they are fewbit's own. No code is loaded for it. */
import { UserError } from "../errors.js";
import { shippedModel } from "../models/index.js";
import type { Network } from "../nn/index.js";
import { fitted } from "../nn/index.js";
import type { Method, MethodOptions } from "../quantization/index.js";
import { createMethod, methods } from "../quantization/index.js";
import { parseRunOptions, resolveNetwork } from "./config.js";
import type { RunConfig } from "./run.js";
import { runSchema } from "./settings.js";

/** What the caller has of a run whose network or method is its own. */
export interface OwnParts {
  readonly model?: Network;
  readonly method?: Method;
}

/**
 * @param own the parts that the run does not share with fewbit.
 * @throws UserError for a network or method that neither fewbit has nor the caller gives.
 */
export function recreate(
  directory: string,
  config: RunConfig,
  own: OwnParts,
): { readonly model: Network; readonly method: Method } {
  const { model = ownModel(directory, config), method = ownMethod(directory, config) } = own;
  return { model: fitted(model, { input: config.model.input, classes: config.model.classes }), method };
}

/** What the command line was given, if a run was trained there. */
function commandLine({ options }: RunConfig) {
  if (options === undefined || !runSchema.safeParse(options).success) return undefined;
  return resolveNetwork(parseRunOptions({ ...options }, () => "config.json"));
}

function ownModel(directory: string, config: RunConfig): Network {
  const { name } = config.model;
  const model = config.code?.model === undefined ? shippedModel(name) : undefined;
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
