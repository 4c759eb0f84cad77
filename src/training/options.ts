/** The rules of options that several functions for training, scoring and inference share. */
import { checkDataset } from "../data/check.js";
import { UserError } from "../errors.js";
import type { Rule } from "../errors/options.js";
import { checkedBy, oneOf, optional } from "../errors/options.js";
import { checkNetwork } from "../nn/index.js";
import { checkOptimizer } from "../optim/index.js";
import { checkLoss } from "../optim/losses.js";
import { checkMethod } from "../quantization/index.js";
import type { CodeKey } from "./settings.js";
import { settings } from "./settings.js";

/** The rule of a setting's value, from the table of settings. */
export const settingRule = (key: CodeKey): Rule =>
  checkedBy((value) => {
    const { error } = settings[key].schema.safeParse(value);
    if (error !== undefined) throw new UserError(`${key} ${error.issues[0].message}`, key);
  });

/** What is trained: a network, a method and data. */
export const parts = {
  model: checkedBy(checkNetwork),
  method: checkedBy(checkMethod),
  data: checkedBy(checkDataset),
};

/** How it is trained. */
export const training = { optimizer: checkedBy(checkOptimizer), loss: optional(checkedBy(checkLoss)) };

/** Which weights of a run to use. */
export const which = optional(oneOf("best", "last"));
