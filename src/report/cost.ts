/** The cost of a run's network, as far as its folder says. */
import { isDeepStrictEqual } from "node:util";
import { UserError } from "../errors.js";
import type { NetworkCost } from "../nn/index.js";
import { costOf, fitted } from "../nn/index.js";
import { codeFilesOf, titleOf } from "../training/code.js";
import { parseRunOptions, resolveNetwork } from "../training/config.js";
import type { RunConfig } from "../training/index.js";
import { keysWhere } from "../training/settings.js";

/** A cost, or the reason why it is unknown. */
export type Costing =
  { readonly cost: NetworkCost; readonly missing: null } | { readonly cost: null; readonly missing: string };

/** Costs of runs; runs of one network and method share the work. */
export function costing(): (config: RunConfig) => Costing {
  const known = new Map<string, Costing>();
  const ofConfig = new WeakMap<RunConfig, Costing>();
  return (config) => {
    const before = ofConfig.get(config);
    if (before !== undefined) return before;
    const key = JSON.stringify(
      [config.model, config.method, config.cost, config.options],
      withoutEffectOnCost,
    );
    const found = known.get(key) ?? costingOf(config);
    known.set(key, found);
    ofConfig.set(config, found);
    return found;
  };
}

/** Settings that neither network nor method depends on: what a study varies most, so that its runs share the work. */
const idle: readonly string[] = keysWhere(({ part }) => part !== "model" && part !== "method");

const withoutEffectOnCost = (key: string, value: unknown): unknown =>
  idle.includes(key) ? undefined : value;

/** The cost of fewbit's own parts is worked out; that of others is in the run's folder, unless the run is of the first versions. */
function costingOf({ model: stored, method: storedMethod, cost: recorded, options }: RunConfig): Costing {
  const none = (missing: string): Costing => ({ cost: null, missing });
  const otherwise = (missing: string): Costing =>
    recorded === undefined ? none(missing) : { cost: recorded, missing: null };
  if (options === undefined) return otherwise("trained from code: its network is not known");
  const file = codeFilesOf(options).find(([key]) => key === "model" || key === "method");
  if (file !== undefined) return otherwise(`its ${titleOf(file[0])} is in a file`);
  try {
    const { model, method } = resolveNetwork(parseRunOptions({ ...options }, () => "config.json"));
    const said = [stored.name, storedMethod.name, storedMethod.options.layers ?? {}];
    if (!isDeepStrictEqual([model.name, method.name, options.layers ?? {}], said)) {
      return none("its options are those of another network");
    }
    return { cost: costOf(fitted(model, stored), method), missing: null };
  } catch (error) {
    if (error instanceof UserError) return none(error.message);
    throw error;
  }
}
