/** What the server tells the page, as JSON. The page's sources read this file, so it imports nothing. */

/** What our page sends with what changes something; another site's page cannot. */
export const ownHeader = "x-fewbit-dashboard";

/**
 * "running": its lock names a living process of this machine, or another machine has written it not long ago. "done": all its epochs have ended.
 * "damaged": its metrics cannot be read. "interrupted": none of these.
 */
export type RunState = "running" | "done" | "interrupted" | "damaged";

/** One number per epoch. Accuracies in percent, on the test set where nothing else is said. */
export interface Curves {
  readonly top1: readonly number[];
  readonly trainTop1: readonly number[];
  readonly testLoss: readonly number[];
  readonly trainLoss: readonly number[];
  readonly learningRate: readonly number[];
  readonly seconds: readonly number[];
}

export interface RunUpdate {
  readonly id: string;
  /** Its folder's path below the one that is watched. */
  readonly name: string;
  readonly state: RunState;
  /** Asked to stop and not ended yet. */
  readonly stopping: boolean;
  /** Why, if damaged. */
  readonly reason?: string;
  readonly data: string;
  readonly model: string;
  readonly method: string;
  /** Null for a method of the user's that does not tell. */
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  readonly optimizer: string;
  readonly learningRate: number | null;
  readonly seed: number;
  readonly epochsPlanned: number;
  /** What the best epoch is chosen on. */
  readonly chosenOn: "test" | "validation";
  /** Whether it counts an image as wrong where another class has an equal logit, as older runs do. */
  readonly tiesWrong: boolean;
  /** `top5` is null where the published table has none of such data. */
  readonly best: { readonly epoch: number; readonly top1: number; readonly top5: number | null } | null;
  /** Accuracies of its cell in the published table, of which not all have top-5. */
  readonly published: number | null;
  readonly publishedTop5: number | null;
  /** Its data, if that is a part of a published data set, in words: "10 classes of ImageNet". */
  readonly part: string | null;
  /** When its last epoch ended, in milliseconds since 1970; null before the first. */
  readonly ended: number | null;
  /** Its first `from` epochs are as they were sent before; `curves` has those that follow. */
  readonly from: number;
  readonly curves: Curves;
}

/** `GET /api/runs` */
export interface Snapshot {
  /** Where events go on from. */
  readonly at: string;
  readonly folder: string;
  /** Whether runs can be stopped from the page. */
  readonly stoppable: boolean;
  readonly warnings: readonly string[];
  readonly runs: readonly RunUpdate[];
}

/** The event "change" of `GET /api/events`. */
export interface Change {
  readonly runs: readonly RunUpdate[];
  /** Ids of runs that are no longer there. */
  readonly removed: readonly string[];
  /** Where they have changed. */
  readonly warnings?: readonly string[];
}

/** A layer over the epochs: the columns of its lines in `layers.jsonl`. */
export interface LayerHistory {
  readonly name: string;
  readonly epochs: readonly number[];
  /** Null in full precision. */
  readonly levels: readonly (number | null)[];
  readonly sparsity: readonly number[];
  readonly signFlips: readonly number[];
  readonly lowest: readonly number[];
  readonly highest: readonly number[];
  readonly counts: readonly (readonly number[])[];
}

export interface ConfusionMatrix {
  readonly epoch: number;
  readonly split: string;
  /** `counts[label][answer]` */
  readonly counts: readonly (readonly number[])[];
}

/** `GET /api/runs/ID` */
export interface RunDetails {
  readonly id: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly layers: readonly LayerHistory[];
  /** The matrices of the last epochs, as many as fit in a page; empty if the run records none. */
  readonly confusion: readonly ConfusionMatrix[];
  readonly classNames: readonly string[];
  /** A line for each file that cannot be read. */
  readonly warnings: readonly string[];
}
