/** A method with other bits in some layers. */
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, isObject, optional, positive } from "../errors/options.js";
import type { Bits, LayerInfo, Method } from "./method.js";
import { checkMethod } from "./method.js";

/** The bits to change, by the layer's name. */
export type LayerOverrides = Readonly<Record<string, Partial<Bits>>>;

/**
 * A method with other bits in some layers. `create` makes the method for given bits. A layer that the method leaves in
 * full precision counts as having 32 bits, and naming it here quantizes it. Bits that the method does not allow cause a
 * UserError when a network is built with it.
 */
export function withLayers(method: Method, layers: LayerOverrides, create: (bits: Bits) => Method): Method {
  checkMethod(method);
  if (!isObject(layers)) {
    throw new UserError(`layers must be an object of bits by layer, got ${shown(layers)}`, "layers");
  }
  for (const [name, bits] of Object.entries(layers))
    checkOptions(`layer ${name}`, bits, rules, `layer ${name}: `);
  if (typeof create !== "function") throw new UserError(`create must be a function, got ${shown(create)}`);
  if (Object.keys(layers).length === 0) return method;
  const isNamed = ({ name }: LayerInfo): boolean => Object.hasOwn(layers, name);
  const of = (layer: LayerInfo): Method => {
    if (!isNamed(layer)) return method;
    const { weightBits, activationBits } = method.fullPrecision(layer) ? full : method;
    return createFor(layer.name, () => create({ weightBits, activationBits, ...layers[layer.name] }));
  };
  const isFull = (layer: LayerInfo): boolean => {
    if (!isNamed(layer)) return method.fullPrecision(layer);
    const { weightBits, activationBits } = of(layer);
    return weightBits === 32 && activationBits === 32;
  };
  return {
    ...method,
    options: { ...method.options, layers },
    fullPrecision: isFull,
    weights: (w, layer, own) => of(layer).weights(w, layer, own),
    activations: (x, layer, own) => of(layer).activations(x, layer, own),
    initialBound: (layer) => of(layer).initialBound?.(layer),
    stepFactor: (layer) => of(layer).stepFactor?.(layer) ?? 1,
    gradientFactor: (layer, ...optimizer) => of(layer).gradientFactor?.(layer, ...optimizer) ?? 1,
    constrain: (w, layer) => of(layer).constrain?.(w, layer) ?? w,
    own: (layer) => of(layer).own?.(layer) ?? {},
    bits: of,
  };
}

const rules: Rules<Bits> = { weightBits: optional(positive), activationBits: optional(positive) };

const full: Bits = { weightBits: 32, activationBits: 32 };

function createFor(layer: string, create: () => Method): Method {
  try {
    const made: unknown = create();
    checkMethod(made);
    return made;
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${error.message} in layer ${layer}`, "layers") : error;
  }
}
