/**
 * Revisions: changes in what a method or the scoring of images computes. A run's configuration records its revision, so
 * that its weights are not used under rules that they were not trained for, and so that studies train such runs again.
 */
import { UserError } from "../errors.js";
import type { TieRule } from "../graph/index.js";
import type { LayerSummary, Network } from "../nn/index.js";
import { describe, hasResidualBlocks } from "../nn/index.js";
import type { Method } from "../quantization/index.js";

/** The run for which changes are looked up. */
export interface Revised {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: { readonly name: string; readonly invariantToScale?: boolean };
}

export interface Change {
  /** The revision that it starts, in order from 2; the first had no change. */
  readonly revision: number;
  /** What has held since, as a clause. */
  readonly what: string;
  /** Whether it changes the answers of a trained network, so that older weights are useless, or only its training. */
  readonly touches: "answers" | "training";
  /** Whether it affects a run. */
  affects(run: Revised): boolean;
}

const quantized = (model: Network, method: Method): readonly LayerSummary[] =>
  describe(model, method).layers.filter(({ weightBits }) => weightBits < 32);

const quantizesWeights = (model: Network, method: Method): boolean => quantized(model, method).length > 0;

/** Changes of what methods compute. */
export const methodChanges: readonly Change[] = [
  {
    revision: 2,
    what: "residual blocks of XNOR-Net and BWN have their ReLU after the first convolution too",
    touches: "answers",
    affects: ({ model, method }) =>
      method.normalisation === "before" &&
      method.residual !== "preactivation" &&
      method.options.reluAfterConvolution !== false &&
      hasResidualBlocks(model, method),
  },
  {
    revision: 3,
    what: "QNN's latent weights start in U(-1, 1), and their steps are as much longer",
    touches: "training",
    affects: ({ model, method }) =>
      method.name === "qnn" && method.options.preset === "paper" && quantizesWeights(model, method),
  },
  {
    revision: 4,
    what: "gradients of XNOR-Net's and BWN's weights have the factor N with optimizers other than Adam",
    touches: "training",
    affects: ({ model, method, optimizer }) =>
      method.name === "xnor" &&
      method.options.preset === "paper" &&
      optimizer.invariantToScale !== true &&
      quantizesWeights(model, method),
  },
  {
    revision: 5,
    what: "XNOR-Net and BWN do not centre the weights of layers with one input channel",
    touches: "training",
    affects: ({ model, method }) =>
      method.name === "xnor" && quantized(model, method).some(({ weightShape }) => weightShape.at(-2) === 1),
  },
];

/** The revision of the rules by which right answers are counted: by the first, an equal logit of another class was wrong. */
const scoringRevision = 2;

/** The revisions of the method's rules, and of the scoring's, by which a run is made. A part is absent where it is the first. */
export interface Revision {
  readonly method?: number;
  readonly scoring?: number;
}

/** The revision of a run that starts now. */
export function revisionOf(run: Revised): Revision {
  const method = methodChanges.findLast(({ affects }) => affects(run))?.revision;
  return { ...(method === undefined ? {} : { method }), scoring: scoringRevision };
}

/** How a run counts equal logits. */
export function tieRuleOf({ scoring = 1 }: Revision = {}): TieRule {
  return scoring === 1 ? "wrong" : "first";
}

/**
 * Refuses to use the weights of a run that was made under other rules than today's.
 *
 * @param use "answer" refuses where the network would answer otherwise; "train" also where it would be trained otherwise.
 * @param directory the run's, for the message.
 * @throws UserError with the first rule that has changed.
 */
export function refuseOtherRules(
  { method: made = 1, scoring = 1 }: Revision = {},
  run: Revised,
  use: "answer" | "train",
  directory: string,
): void {
  const latest = methodChanges.at(-1)?.revision ?? 1;
  if (made > latest) {
    throw new UserError(
      `${directory} was started with revision ${made} of its method, and this version of fewbit knows those up to ${latest}; use a newer one`,
    );
  }
  if (scoring > scoringRevision && use === "train") {
    throw new UserError(
      `${directory} was started with revision ${scoring} of its scoring, and this version of fewbit knows those up to ${scoringRevision}; use a newer one`,
    );
  }
  const matters = ({ touches }: Change): boolean => touches === "answers" || use === "train";
  const change = methodChanges.find(
    (change) => change.revision > made && matters(change) && change.affects(run),
  );
  if (change === undefined) return;
  const consequence =
    change.touches === "answers" ? "its weights fit only the older rule" : "it would go on by another rule";
  throw new UserError(
    `${directory} was started with revision ${made} of its method; since revision ${change.revision} ${change.what}, so ${consequence}; train it again`,
  );
}
