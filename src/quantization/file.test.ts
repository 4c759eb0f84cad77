/** Methods from files of a user's: what is wrong with one is told as the file's. */
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import { leaf } from "../graph/index.js";
import type { LayerInfo, Method, NewMethod } from "./index.js";
import { createMethod, dorefa } from "./index.js";
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

test("a hook that fails is told with its name and file, and a mistake that it found stays what it is", () => {
  const failing = methodOf("./failing.mjs", {
    weights: (x) => (x as unknown as { mean(): typeof x }).mean(),
    activations: () => {
      throw new UserError("activations need codes");
    },
  });
  expect(() => failing.weights(w, layer, {})).toThrow(
    new UserError("weights() of ./failing.mjs fails: x.mean is not a function", "method"),
  );
  expect(() => failing.activations(w, layer, {})).toThrow("activations need codes");
  expect(failing.fullPrecision({ ...layer, index: 0 })).toBe(true);
});
