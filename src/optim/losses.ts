/** The losses by name: what training minimises. Scores of images are always cross-entropies, so that they compare. */
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { callback, checkOptions, isObject, optional, plain, text } from "../errors/options.js";
import { exportedEntry, guarded, refuseShippedName, registryOf, resultOf } from "../errors/registry.js";
import type { Tensor } from "../graph/index.js";
import { isTensor, softmaxCrossEntropy } from "../graph/index.js";

/** A loss: a function of a batch's logits and labels. */
export interface Loss {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The mean over a batch, of shape []: logits [N, classes], labels i32 [N]. */
  value(logits: Tensor, labels: Tensor): Tensor;
}

/** An entry of the registry of losses. */
export interface LossEntry {
  /** Its name in a sentence. */
  readonly title: string;
  create(): Loss;
}

/** The default export of a loss's file: only `create` is required. */
export type NewLoss = Partial<LossEntry> & Pick<LossEntry, "create">;

/** The mean of -log softmax(logits)[label], which training minimises by default. */
export const crossEntropy: Loss = { name: "crossEntropy", options: {}, value: softmaxCrossEntropy };

/** The losses by name. */
export const lossRegistry = registryOf<LossEntry>(
  "loss",
  { crossEntropy: { title: "cross-entropy", create: () => crossEntropy } },
  inFile,
);

const lossRules: Rules<Loss> = { name: text, options: plain, value: callback };
const entryRules: Rules<LossEntry> = { title: optional(text), create: callback };

/** @throws UserError for anything but a loss, and for a loss with an unknown property. */
export function checkLoss(loss: unknown): asserts loss is Loss {
  if (!isObject(loss) || typeof loss.name !== "string" || typeof loss.value !== "function") {
    throw new UserError(`loss must be a loss { name, options, value }, got ${shown(loss)}`, "loss");
  }
  checkOptions(`loss ${loss.name}`, loss, lossRules, `loss ${loss.name}: `);
}

/** A batch's loss. @throws UserError unless the function returns one number for the batch. */
export function lossValue(loss: Loss, logits: Tensor, labels: Tensor): Tensor {
  const value: unknown = loss.value(logits, labels);
  if (isTensor(value) && value.shape.length === 0) return value;
  const allowed = "a tensor of shape [], the mean over the batch";
  throw new UserError(`loss ${loss.name}: value must return ${allowed}, got ${shown(value)}`, "loss");
}

/** The loss that a file exports. @throws UserError for anything else */
function inFile(path: string, exported: unknown): LossEntry {
  const entry = exportedEntry<NewLoss>(path, exported, {
    field: "loss",
    members: ["title", "create"],
    rules: entryRules,
  });
  const create = (): Loss => {
    const what = `create() of ${path}`;
    const made: unknown = resultOf(what, "loss", () => entry.create());
    try {
      checkLoss(made);
    } catch (error) {
      throw new UserError(`${what}: ${(error as Error).message}`, "loss");
    }
    refuseShippedName(path, made.name, lossRegistry, "loss");
    return guarded(path, "loss", made);
  };
  return { title: entry.title ?? path, create };
}

/** The loss of a configuration. */
export function lossOf(name: string): Loss {
  const entry = lossRegistry.find(name);
  if (entry === undefined) throw new Error(`there is no loss ${name}`);
  return entry.create();
}
