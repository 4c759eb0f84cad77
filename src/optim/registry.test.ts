/** Optimizers from files of a user's. */
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import type { OptimizerSettings } from "./index.js";
import { optimizerOf, optimizerRegistry, sgd } from "./index.js";

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
