/** Optimizers and losses from files of a user's. */
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import { leaf, mul } from "../graph/index.js";
import type { OptimizerSettings } from "./index.js";
import { optimizerOf, optimizerRegistry, sgd } from "./index.js";
import { lossOf, lossRegistry } from "./losses.js";

test("an optimizer trains at the rate that it is given, which reports and runs tell", () => {
  const create = ({ learningRate }: OptimizerSettings) => ({ ...sgd({ learningRate }), name: "mine" });
  optimizerRegistry.register("./mine.mjs", { create }, "0");
  expect(optimizerOf("./mine.mjs", { learningRate: 0.25, momentum: 0, weightDecay: 0 })).toMatchObject({
    name: "mine",
    learningRate: 0.25,
  });

  const fixed = () => ({ ...sgd({ learningRate: 0.05 }), name: "fixed" });
  optimizerRegistry.register("./fixed.mjs", { create: fixed }, "0");
  expect(() => optimizerOf("./fixed.mjs", { learningRate: 0.001, momentum: 0, weightDecay: 0 })).toThrow(
    new UserError(
      "create() of ./fixed.mjs must return the learningRate that it is given, 0.001, got 0.05",
      "optimizer",
    ),
  );
});

test("what functions on tensors refuse is reported as an error of the file", () => {
  const shapes =
    "mul: the shapes [2] and [3] do not broadcast; counted from the last axis, extents must be equal or 1";
  const [two, three] = [leaf("two", [2]), leaf("three", [3])];
  const update = () => ({ parameters: { w: mul(two, three) }, own: {} });
  const create = ({ learningRate }: OptimizerSettings) => ({ ...sgd({ learningRate }), name: "x", update });
  optimizerRegistry.register("./update.mjs", { create }, "0");
  const optimizer = optimizerOf("./update.mjs", { learningRate: 1, momentum: 0, weightDecay: 0 });
  expect(() => optimizer.update({}, {}, {}, {})).toThrow(
    new UserError(`update() of ./update.mjs fails: ${shapes}`, "optimizer"),
  );

  lossRegistry.register("./loss.mjs", { create: () => ({ name: "x", options: {}, value: mul }) }, "0");
  expect(() => lossOf("./loss.mjs").value(two, three)).toThrow(
    new UserError(`value() of ./loss.mjs fails: ${shapes}`, "loss"),
  );
});
