/** Applies a method's hooks to all weights, outside a network's pass. */
import type { Tensor, Tensors } from "../graph/index.js";
import { add, mul, sub } from "../graph/index.js";
import type { LayerInfo, Method } from "../quantization/index.js";
import { callHook, numberFromHook, tensorFromHook } from "./hooks.js";
import type { Network } from "./network.js";
import { declare } from "./network.js";

/** The parameters with latent weights as the method constrains them, at the start and after an update (QNN clamps, XNOR-Net also centres them). */
export function constrainWeights(network: Network, method: Method, parameters: Tensors): Tensors {
  if (method.constrain === undefined) return parameters;
  return {
    ...parameters,
    ...mapWeights(network, method, parameters, "constrain", method.constrain.bind(method)),
  };
}

/** The gradients for an optimizer: those of latent weights are multiplied by the method's number. */
export function scaleGradients(
  network: Network,
  method: Method,
  gradients: Tensors,
  { name, invariantToScale = false }: { readonly name: string; readonly invariantToScale?: boolean },
): Tensors {
  if (method.gradientFactor === undefined) return gradients;
  const { gradientFactor } = method;
  return {
    ...gradients,
    ...mapWeights(network, method, gradients, "gradientFactor", (g, layer) =>
      times(
        g,
        numberFromHook(method, "gradientFactor", layer, () => gradientFactor(layer, name, invariantToScale)),
      ),
    ),
  };
}

/** The parameters after an optimizer's step; the step of latent weights is multiplied by the method's number. */
export function scaleSteps(
  network: Network,
  method: Method,
  before: Tensors,
  after: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  if (method.stepFactor === undefined) return after;
  const { stepFactor } = method;
  const scaled = mapWeights(network, method, after, "stepFactor", (w, layer) => {
    const factor = numberFromHook(method, "stepFactor", layer, () => stepFactor(layer));
    const start = before[`${layer.name}.weight`];
    return factor === 1 ? w : add(start, mul(sub(w, start), factor));
  });
  return { ...after, ...scaled };
}

const times = (x: Tensor, factor: number): Tensor => (factor === 1 ? x : mul(x, factor));

/** The weights that each convolution and linear layer multiplies with, by the name of its parameter. */
export function quantizedWeights(network: Network, method: Method, parameters: Tensors): Tensors {
  return mapWeights(network, method, parameters, "weights", (w, layer) => {
    const own = Object.keys(callHook(method, "own", layer, () => method.own?.(layer)) ?? {});
    const scalars = own.map((name) => [name, parameters[`${layer.name}.own.${name}`]] as const);
    return method.weights(w, layer, Object.fromEntries(scalars));
  });
}

/** The weights of each convolution and linear layer by the name of the parameter; quantized ones after `f`. */
function mapWeights(
  network: Network,
  method: Method,
  parameters: Tensors,
  hook: string,
  f: (w: Tensor, layer: LayerInfo) => Tensor,
): Tensors {
  const of = (name: string, info: LayerInfo) =>
    tensorFromHook(method, hook, info, () => f(parameters[name], info), parameters[name].shape);
  const mapped = declare(network, method).layers.map(({ info, quantized }) => {
    const name = `${info.name}.weight`;
    return [name, quantized ? of(name, info) : parameters[name]] as const;
  });
  return Object.fromEntries(mapped);
}
