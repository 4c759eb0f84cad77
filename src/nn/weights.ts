/** A method's hooks on the weights as a whole, outside a network's pass. */
import type { Tensor } from "../graph/index.js";
import type { LayerInfo, Method } from "../quantization/index.js";
import type { Network, Tensors } from "./network.js";
import { declare } from "./network.js";

/** The parameters with latent weights as the method constrains them, at the start and after an update (QNN clamps, XNOR-Net also centres them). */
export const constrainWeights = (network: Network, method: Method, parameters: Tensors): Tensors =>
  replaceLatent(network, method, parameters, method.constrain?.bind(method));

function replaceLatent(
  network: Network,
  method: Method,
  parameters: Tensors,
  replace: ((w: Tensor, layer: LayerInfo) => Tensor) | undefined,
): Tensors {
  if (replace === undefined) return parameters;
  const replaced = mapWeights(network, method, parameters, (w, layer, quantized) =>
    quantized ? replace(w, layer) : w,
  );
  return { ...parameters, ...replaced };
}

/** The weights that each convolution and linear layer multiplies with, by the name of its parameter. */
export function quantizedWeights(network: Network, method: Method, parameters: Tensors): Tensors {
  return mapWeights(network, method, parameters, (w, layer, quantized) => {
    if (!quantized) return w;
    const own = Object.keys(method.own?.(layer) ?? {});
    return method.weights(
      w,
      layer,
      Object.fromEntries(own.map((name) => [name, parameters[`${layer.name}.own.${name}`]])),
    );
  });
}

/** What `f` makes of the latent weights of each convolution and linear layer, by the name of the parameter. */
function mapWeights(
  network: Network,
  method: Method,
  parameters: Tensors,
  f: (w: Tensor, layer: LayerInfo, quantized: boolean) => Tensor,
): Tensors {
  const mapped = declare(network, method).layers.map(({ info, quantized }) => {
    const name = `${info.name}.weight`;
    return [name, f(parameters[name], info, quantized)] as const;
  });
  return Object.fromEntries(mapped);
}
