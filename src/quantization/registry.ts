/** The methods by the names that the command line and configuration files use. */
import { shown, suggestion, UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  callback,
  checkKnown,
  checkOptions,
  checkValue,
  isObject,
  objectOf,
  optional,
  text,
} from "../errors/options.js";
import { baseline } from "./baseline.js";
import type { DorefaOptions } from "./dorefa.js";
import { dorefa } from "./dorefa.js";
import type { Bits, Method } from "./method.js";
import { checkMethod } from "./method.js";
import { presetOf, presets, uniformBits } from "./options.js";
import type { QnnOptions } from "./qnn.js";
import { qnn } from "./qnn.js";
import type { TtqOptions } from "./ttq.js";
import { ttq } from "./ttq.js";
import type { TwnOptions } from "./twn.js";
import { twn } from "./twn.js";
import type { XnorOptions } from "./xnor.js";
import { xnor } from "./xnor.js";

/** Options as they come from outside; the method checks them. */
export interface MethodOptions {
  readonly weightBits?: number;
  readonly activationBits?: number;
  readonly gradientBits?: number;
  readonly preset?: string;
  readonly reluAfterConvolution?: boolean;
  readonly inputScale?: boolean;
}

/** The name of an option of methods. */
export type OptionName = keyof MethodOptions;

/** An entry of the registry: what a method is, the bits that it allows, and how it is made. */
export interface MethodEntry {
  readonly title: string;
  /** What it quantizes, in one line. */
  readonly description: string;
  /** Authors, year and arXiv number; empty for none. */
  readonly paper: string;
  /** The bits that it allows. A single one is the default; others may have `defaults`. */
  readonly weightBits: readonly number[];
  readonly activationBits: readonly number[];
  readonly presets: readonly string[];
  /** Options beside bits and preset. */
  readonly options: readonly OptionName[];
  /** The bits of a configuration that does not set them. */
  readonly defaults: Pick<MethodOptions, "weightBits" | "activationBits">;
  create(options: MethodOptions & Bits): Method;
}

const all: Record<string, MethodEntry> = {
  baseline: {
    title: "Baseline",
    description: "nothing: full precision, to compare with",
    paper: "",
    weightBits: [32],
    activationBits: [32],
    presets,
    options: [],
    defaults: { weightBits: 32, activationBits: 32 },
    create: () => baseline(),
  },
  qnn: {
    title: "QNN",
    description: "weights and activations of all layers, the images not",
    paper: "Hubara et al. 2016, arXiv 1609.07061",
    weightBits: uniformBits,
    activationBits: uniformBits,
    presets,
    options: [],
    defaults: {},
    create: (options) => qnn(options as QnnOptions),
  },
  dorefa: {
    title: "DoReFa-Net",
    description: "weights, activations and gradients of all layers but the first and the last",
    paper: "Zhou et al. 2016, arXiv 1606.06160",
    weightBits: uniformBits,
    activationBits: uniformBits,
    presets,
    options: ["gradientBits"],
    defaults: {},
    create: (options) => dorefa(options as DorefaOptions),
  },
  xnor: {
    title: "XNOR-Net, BWN",
    description: "weights, and in XNOR-Net activations, to signs; all layers but the first and the last",
    paper: "Rastegari et al. 2016, arXiv 1603.05279",
    weightBits: [1, 32],
    activationBits: [1, 32],
    presets,
    options: ["reluAfterConvolution", "inputScale"],
    defaults: { weightBits: 1 },
    create: (options) => xnor(options as XnorOptions),
  },
  twn: {
    title: "TWN",
    description: "weights of all layers to -α, 0, α",
    paper: "Li et al. 2016, arXiv 1605.04711",
    weightBits: [2, 32],
    activationBits: [32],
    presets,
    options: [],
    defaults: { weightBits: 2, activationBits: 32 },
    create: ({ weightBits, preset }) => twn({ weightBits, preset } as TwnOptions),
  },
  ttq: {
    title: "TTQ",
    description: "weights of all layers but the first and the last to -n, 0, p, which are trained",
    paper: "Zhu et al. 2016, arXiv 1612.01064",
    weightBits: [2, 32],
    activationBits: [32],
    presets,
    options: [],
    defaults: { weightBits: 2, activationBits: 32 },
    create: ({ weightBits, preset }) => ttq({ weightBits, preset } as TtqOptions),
  },
};

/** The methods by name. */
export const methods: Readonly<Record<string, MethodEntry>> = all;

/** A new entry: bits and `create` are required, the rest has defaults. */
export type NewMethod = Partial<MethodEntry> & Pick<MethodEntry, "weightBits" | "activationBits" | "create">;

const listOf = (allowed: string, type: string): Rule => ({
  allowed: `an array of ${allowed}`,
  test: (value) => Array.isArray(value) && value.every((item) => typeof item === type),
});
const string: Rule = { allowed: "a text", test: (value) => typeof value === "string" };
const entryRules: Rules<MethodEntry> = {
  title: optional(string),
  description: optional(string),
  paper: optional(string),
  weightBits: listOf("the bits that it allows", "number"),
  activationBits: listOf("the bits that it allows", "number"),
  presets: optional(listOf("names", "string")),
  options: optional(listOf("names of options", "string")),
  defaults: optional(objectOf("an object with weightBits, activationBits or both")),
  create: callback,
};

/** Registers a method under a name, on the command line the path of its file. */
export function registerMethod(name: string, entry: NewMethod): void {
  checkValue("name", name, text);
  checkOptions<MethodEntry>(`method ${name}`, entry, entryRules, `method ${name}: `);
  const plain = { title: name, description: "", paper: "", presets: ["paper"], options: [], defaults: {} };
  all[name] = { ...plain, ...entry };
}

/** Creates the method of a name. @throws UserError for an unknown name, or options that the method does not allow. */
export function createMethod(name: string, options: MethodOptions = {}): Method {
  if (!Object.hasOwn(methods, name)) {
    const names = Object.keys(methods);
    throw new UserError(
      `method must be one of ${names.join(", ")}, got ${shown(name)}${suggestion(name, names)}`,
      "method",
    );
  }
  if (!isObject(options)) {
    throw new UserError(`the options of ${name} must be an object, got ${shown(options)}`);
  }
  const entry = methods[name];
  const asked = { ...entry.defaults, ...given(options) };
  // A method without this option has full precision.
  if (!entry.options.includes("gradientBits") && asked.gradientBits === 32) delete asked.gradientBits;
  checkKnown(name, Object.keys(asked), ["weightBits", "activationBits", "preset", ...entry.options]);
  for (const field of ["weightBits", "activationBits"] as const) {
    const allowed = entry[field];
    if (allowed.length === 1) asked[field] ??= allowed[0];
    const value = asked[field];
    if (value === undefined) {
      throw new UserError(`${field} is needed for method ${name}; give ${bitsText(allowed)}`, field);
    }
    if (!allowed.includes(value)) {
      throw new UserError(`${field} must be ${bitsText(allowed)} for ${name}, got ${shown(value)}`, field);
    }
  }
  if (asked.preset !== undefined) checkValue("preset", asked.preset, presetOf(name, entry.presets));
  const method = entry.create(asked as MethodOptions & Bits); // both are checked above
  checkMethod(method);
  return method;
}

/** The options that have a value. */
function given(options: MethodOptions): { -readonly [K in OptionName]?: MethodOptions[K] } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** "an integer from 1 to 8 or 32", "1 or 32", "32". */
export function bitsText(allowed: readonly number[]): string {
  const low = allowed.filter((bits) => bits < 32);
  const isRange = low.length > 2 && low.every((bits, i) => bits === low[0] + i);
  const rest = allowed.filter((bits) => bits >= 32);
  return (isRange ? [`an integer from ${low[0]} to ${low.at(-1)}`, ...rest] : allowed).join(" or ");
}
