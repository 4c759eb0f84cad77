/** Losses and scores of a classifier: logits [N, classes], labels i32 [N]. */
import { UserError } from "../../errors.js";
import { checkRank, text } from "../ops/shapes.js";
import type { Tensor } from "../tensor.js";
import { eq, exp, le, log, lt, mul, sub, where } from "./arithmetic.js";
import { reshape } from "./broadcasting.js";
import { stopGradient } from "./gradient.js";
import { iota } from "./leaves.js";
import { mean, reduceMax, sum } from "./reductions.js";

/** [N, classes]: 1 at each label. */
function oneHot(op: string, logits: Tensor, labels: Tensor): Tensor {
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

/**
 * How many labels are among the k largest logits of their row, a scalar. Ties count against the
 * network, or a dead one would be right always; so does a NaN.
 */
export function topKCorrect(logits: Tensor, labels: Tensor, k: number): Tensor {
  const isLabel = oneHot("topKCorrect", logits, labels);
  const own = sum(where(isLabel, logits, 0), 1, true);
  // The rank counts the logits that are not less than the label's, itself included.
  const rank = sum(where(lt(logits, own), 0, 1), 1, true);
  return sum(mul(le(rank, k), eq(own, own)));
}
