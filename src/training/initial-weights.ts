/** Weights of another run or file in place of those that a training draws. */
import { counted, UserError } from "../errors.js";
import type { Arrays, Weights, WeightSource } from "../run-folder/index.js";
import { isMethodScalar } from "../optim/index.js";
import { checkPatterns, inShort, isMeant } from "./patterns.js";

/** An array that was not taken, by its name in a run's files. */
export interface LeftTensor {
  readonly name: string;
  readonly reason: string;
}

/** What a training starts from. */
export interface InitialReport {
  /** The run or file, by its path. */
  readonly source: string;
  /** The names of the arrays that were taken. */
  readonly taken: readonly string[];
  /** The others, of the source and of the network. */
  readonly left: readonly LeftTensor[];
}

interface Taking {
  /** The network's name, for messages. */
  readonly model: string;
  /** Patterns of arrays that stay as they were drawn. */
  readonly skip: readonly string[];
}

/**
 * Takes each array of a source whose name and shape an array of the network has.
 *
 * @throws UserError that names every array without a place, and every one that gets none, unless it is skipped or a scalar of a method.
 */
export function takeWeights(
  drawn: Weights,
  { name: source, arrays }: WeightSource,
  { model, skip }: Taking,
): { weights: Weights; report: InitialReport } {
  const taken: string[] = [];
  const left: LeftTensor[] = [];
  const problems: string[] = [];
  const wanted: Arrays = Object.fromEntries(
    kinds.flatMap((kind) => Object.entries(drawn[kind]).map(([name, array]) => [`${kind}/${name}`, array])),
  );
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(arrays)])];
  checkPatterns("initSkip", skip, names.map(plain), `${model} or ${source}`);
  for (const name of names) {
    // Files with names and layouts of others are to be mapped to these before.
    const [here, there] = [wanted, arrays].map((all) => (Object.hasOwn(all, name) ? all[name] : undefined));
    if (isMeant(plain(name), skip)) {
      left.push({ name, reason: here === undefined ? "skipped" : "skipped, starts as drawn" });
    } else if (here !== undefined && there !== undefined) {
      if (`${here.shape}` === `${there.shape}`) taken.push(name);
      else problems.push(`${name} is ${extents(there)} there and ${extents(here)} here`);
    } else if (isMethodScalar(name) && Object.hasOwn(wanted, weightOf(name))) {
      const reason =
        here === undefined ? "only the source's method has it" : "only this method has it, starts as it says";
      left.push({ name, reason });
    } else if (there !== undefined) {
      problems.push(`${name} ${extents(there)} has no place`);
    } else if (here !== undefined) {
      problems.push(`${name} ${extents(here)} gets nothing`);
    }
  }
  if (problems.length > 0) {
    throw new UserError(
      `${source} does not fit ${model}: ${inShort(problems, "; ")}; leave out layers and norms with initSkip`,
      "initialWeights",
    );
  }
  const isTaken = new Set(taken);
  const of = (kind: keyof Weights): Arrays =>
    Object.fromEntries(
      Object.entries(drawn[kind]).map(([name, array]) => {
        const key = `${kind}/${name}`;
        return [name, isTaken.has(key) ? arrays[key] : array];
      }),
    );
  const weights = { parameters: of("parameters"), statistics: of("statistics") };
  return { weights, report: { source, taken, left } };
}

const kinds = ["parameters", "statistics"] as const;

/** The name without its kind: "conv1.weight". */
const plain = (name: string): string => name.replace(/^(parameters|statistics)\//, "");

/** The name of the weights of the layer that a method's scalar belongs to. */
const weightOf = (scalar: string): string => scalar.replace(/\.own\..*$/s, ".weight");

const extents = ({ shape }: Arrays[string]): string => `[${shape.join(", ")}]`;

/** A report as lines: how many arrays were taken, and which were not, by the reason. */
export function initialLines({ source, taken, left }: InitialReport): string[] {
  const reasons = [...new Set(left.map(({ reason }) => reason))];
  return [
    `starts from ${source}: ${counted(taken.length, "array")} of ${taken.length + left.length} taken`,
    ...reasons.map((reason) => {
      const names = left.filter((each) => each.reason === reason).map(({ name }) => plain(name));
      return `  ${names.join(", ")}: ${reason}`;
    }),
  ];
}
