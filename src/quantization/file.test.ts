/** Methods from a user's files: a mistake in one is reported with the file's name. */
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import { array, gradients, leaf, mul, sum } from "../graph/index.js";
import { describe, network } from "../nn/index.js";
import type { LayerInfo, Method, NewMethod } from "./index.js";
import { createMethod, dorefa, quantizer } from "./index.js";
import { methodRegistry } from "./file.js";

const layer: LayerInfo = { name: "fc1", kind: "linear", index: 1, count: 3, shape: [2, 2] };
const w = leaf("w", [2, 2], "f32");

/** A method of a file at 2 bits, with hooks of its own. */
function methodOf(path: string, hooks: Partial<Method>, entry: Partial<NewMethod> = {}): Method {
  const create = () => ({ ...dorefa({ weightBits: 2, activationBits: 2 }), name: path, ...hooks });
  methodRegistry.register(
    path,
    { weightBits: [2], activationBits: [2], create, ...entry },
    "0123456789abcdef",
  );
  return createMethod(path, {});
}

test("bits of which a method allows one need not be said", () => {
  const { weightBits, activationBits, options } = methodOf("./one.mjs", {});
  expect([weightBits, activationBits]).toEqual([2, 2]);
  expect(options.file).toBe("0123456789abcdef");
  expect(() => methodOf("./two.mjs", {}, { weightBits: [1, 2] })).toThrow(
    "weightBits is needed for method ./two.mjs",
  );
});

test("a hook that fails is reported with its name and file", () => {
  const failing = methodOf("./failing.mjs", {
    weights: (x) => (x as unknown as { mean(): typeof x }).mean(),
    activations: () => {
      throw new UserError("activations need codes");
    },
  });
  expect(() => failing.weights(w, layer, {})).toThrow(
    new UserError("weights() of ./failing.mjs fails: x.mean is not a function", "method"),
  );
  expect(() => failing.activations(w, layer, {})).toThrow(
    new UserError("activations() of ./failing.mjs fails: activations need codes", "method"),
  );
  expect(failing.fullPrecision({ ...layer, index: 0 })).toBe(true);
});

test("what functions on tensors refuse in a hook is reported with the file and the layer, also later in its gradient", () => {
  const scale = array(Float32Array.of(1, 2, 3));
  const mean = methodOf("./mean.mjs", { fullPrecision: () => false, weights: (w) => mul(w, scale) });
  const net = network("n", { input: [2, 1, 1], classes: 2 }, (net, x) =>
    net.linear("fc", net.flatten(x), { features: 2 }),
  );
  const shapes = "mul: the shapes [2, 2] and [3] do not broadcast";
  expect(() => describe(net, mean)).toThrow(`weights() of ./mean.mjs fails for layer fc: ${shapes}`);

  const steep = quantizer({ forward: (x) => x, backward: (g) => mul(g, scale) });
  const { weights } = methodOf("./steep.mjs", { weights: steep });
  const loss = sum(weights(w, layer, {}));
  expect(() => gradients(loss, [w])).toThrow(`weights() of ./steep.mjs fails: ${shapes}`);
});
