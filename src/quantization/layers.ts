/** A method with other bits in some layers. */
import { UserError } from "../errors.js";
import type { Bits, LayerInfo, Method } from "./method.js";

/** The bits to change, by the layer's name. */
export type LayerOverrides = Readonly<Record<string, Partial<Bits>>>;

/**
 * A method with bits of their own for some layers. `create` makes the method for given bits. A layer
 * that the method leaves in full precision counts as having 32 bits, and naming it here quantizes it.
 *
 * @throws UserError where the method does not allow the bits.
 */
export function withLayers(method: Method, layers: LayerOverrides, create: (bits: Bits) => Method): Method {
  if (Object.keys(layers).length === 0) return method;
  const common = { weightBits: method.weightBits, activationBits: method.activationBits };
  // Made now, so that bits which are not allowed are refused before anything runs.
  const variants = new Map(
    Object.entries(layers).map(([name, bits]) => {
      const plain = createFor(name, () => create({ ...common, ...bits }));
      const full = createFor(name, () => create({ weightBits: 32, activationBits: 32, ...bits }));
      return [name, { plain, full }];
    }),
  );
  const of = (layer: LayerInfo): Method => {
    const variant = variants.get(layer.name);
    if (variant === undefined) return method;
    return method.fullPrecision(layer) ? variant.full : variant.plain;
  };
  const isFull = (layer: LayerInfo): boolean => {
    const { weightBits, activationBits } = of(layer);
    return variants.has(layer.name)
      ? weightBits === 32 && activationBits === 32
      : method.fullPrecision(layer);
  };
  return {
    ...method,
    options: { ...method.options, layers },
    fullPrecision: isFull,
    weights: (w, layer, own) => of(layer).weights(w, layer, own),
    activations: (x, layer, own) => of(layer).activations(x, layer, own),
    constrain: (w, layer) => of(layer).constrain?.(w, layer) ?? w,
    own: (layer) => of(layer).own?.(layer) ?? {},
    bits: (layer) => of(layer),
  };
}

function createFor(layer: string, create: () => Method): Method {
  try {
    return create();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${error.message} in layer ${layer}`, "layers") : error;
  }
}
