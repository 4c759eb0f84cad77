/** The losses by name: what training minimises. Scores of images are cross-entropies whatever it is, so that they compare. */
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { callback, checkOptions, isObject, optional, plain, text } from "../errors/options.js";
import { registryOf, resultOf } from "../errors/registry.js";
import type { Tensor } from "../graph/index.js";
import { softmaxCrossEntropy } from "../graph/index.js";

/** A loss: a function of a batch's logits and labels. */
export interface Loss {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The mean over a batch, of shape []: logits [N, classes], labels i32 [N]. */
  value(logits: Tensor, labels: Tensor): Tensor;
}

/** A loss as the registry knows it. */
export interface LossEntry {
  /** What it is called in a sentence. */
  readonly title: string;
  create(): Loss;
}

/** What the file of a loss exports as its default; the rest has a default. */
export type NewLoss = Partial<LossEntry> & Pick<LossEntry, "create">;

/** The mean of -log softmax(logits)[label], which training minimises where nothing says another. */
export const crossEntropy: Loss = { name: "crossEntropy", options: {}, value: softmaxCrossEntropy };

/** The losses by name. */
export const lossRegistry = registryOf<LossEntry>(
  "loss",
  { crossEntropy: { title: "cross-entropy", create: () => crossEntropy } },
  inFile,
);

const lossRules: Rules<Loss> = { name: text, options: plain, value: callback };
const entryRules: Rules<LossEntry> = { title: optional(text), create: callback };

/** @throws UserError for what is no loss, and for one with a property that none has. */
export function checkLoss(loss: unknown): asserts loss is Loss {
  if (!isObject(loss) || typeof loss.name !== "string" || typeof loss.value !== "function") {
    throw new UserError(`loss must be a loss { name, options, value }, got ${shown(loss)}`, "loss");
  }
  checkOptions(`loss ${loss.name}`, loss, lossRules, `loss ${loss.name}: `);
}

/** The loss that a file exports. @throws UserError for what is none */
function inFile(path: string, exported: unknown): LossEntry {
  const mistake = (message: string): UserError => new UserError(message, "loss");
  if (!isObject(exported) || typeof exported.create !== "function") {
    throw mistake(`${path} must have a default export { title, create }`);
  }
  try {
    checkOptions<NewLoss>(path, exported, entryRules, `${path}: `);
  } catch (error) {
    throw mistake((error as Error).message);
  }
  const create = (): Loss => {
    const what = `create() of ${path}`;
    const made: unknown = resultOf(what, "loss", () => exported.create());
    try {
      checkLoss(made);
    } catch (error) {
      throw mistake(`${what}: ${(error as Error).message}`);
    }
    if (lossRegistry.names.includes(made.name)) {
      throw mistake(`the loss of ${path} must have a name of its own, got "${made.name}"`);
    }
    return {
      ...made,
      value: (...given) => resultOf(`value() of ${path}`, "loss", () => made.value(...given)),
    };
  };
  return { title: exported.title ?? path, create };
}

/** The loss of a configuration. */
export function lossOf(name: string): Loss {
  const entry = lossRegistry.find(name);
  if (entry === undefined) throw new Error(`there is no loss ${name}`);
  return entry.create();
}
