/** Losses and scores of a classifier: logits [N, classes], labels i32 [N]. */
import { UserError } from "../../errors.js";
import { checkTensors } from "../node.js";
import { checkRank, text } from "../ops/shapes.js";
import type { Tensor } from "../tensor.js";
import { eq, exp, log, lt, sub, where } from "./arithmetic.js";
import { reshape } from "./broadcasting.js";
import { stopGradient } from "./gradient.js";
import { iota } from "./leaves.js";
import { mean, reduceMax, sum } from "./reductions.js";

/** [N, classes]: 1 at each label. */
function oneHot(op: string, logits: Tensor, labels: Tensor): Tensor {
  checkTensors(op, logits, labels);
  checkRank(op, "the logits", logits.shape, "N, classes");
  const [count, classes] = logits.shape;
  if (labels.dtype !== "i32" || labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new UserError(
      `${op}: the labels must be i32 [${count}], got ${labels.dtype} ${text(labels.shape)}`,
    );
  }
  return eq(reshape(labels, [count, 1]), iota([classes]));
}

/** The mean over the batch of log Σ_j e^(z_j) - z_label, a scalar. */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const isLabel = oneHot("softmaxCrossEntropy", logits, labels);
  // Shifted by the row's maximum, no exponential overflows; the value and the gradient stay the same.
  const z = sub(logits, stopGradient(reduceMax(logits, 1, true)));
  return mean(sub(log(sum(exp(z), 1)), sum(where(isLabel, z, 0), 1)));
}

/** Whether an equal logit counts as higher than the label's: where its class comes first, or always. */
export type TieRule = "first" | "wrong";

/**
 * How many labels are among the k largest logits of their row, a scalar. A label's rank is the number
 * of classes with a higher logit, or an equal one and a lower index: rank 0 is the arg max. No image
 * with a NaN among its logits is right.
 *
 * @param ties "wrong": every other class with an equal logit ranks before the label.
 */
export function topKCorrect(logits: Tensor, labels: Tensor, k: number, ties: TieRule = "first"): Tensor {
  const isLabel = oneHot("topKCorrect", logits, labels);
  const [count, classes] = logits.shape;
  const own = sum(where(isLabel, logits, 0), 1, true);
  const isEarlier = lt(iota([classes]), reshape(labels, [count, 1]));
  const equal = ties === "first" ? isEarlier : sub(1, isLabel);
  // A NaN is neither lower, equal nor a number; it outweighs every rank.
  const higher = where(eq(logits, logits), 1, classes);
  const rank = sum(where(lt(logits, own), 0, where(eq(logits, own), equal, higher)), 1);
  return sum(lt(rank, k));
}
