/** The methods by name, as the command line and configuration files give them. */
import { UserError } from "../errors.js";
import { baseline } from "./baseline.js";
import type { DorefaOptions } from "./dorefa.js";
import { dorefa } from "./dorefa.js";
import type { Method } from "./method.js";
import { checkPreset, uniformBits } from "./options.js";

/** Options as they come from outside; the method checks them. */
export interface MethodOptions {
  readonly weightBits?: number;
  readonly activationBits?: number;
  readonly gradientBits?: number;
  readonly preset?: string;
}

export interface MethodEntry {
  readonly description: string;
  /** The bits that it allows. */
  readonly weightBits: readonly number[];
  readonly activationBits: readonly number[];
  readonly gradientBits: readonly number[];
  readonly presets: readonly string[];
  /** @throws UserError for options that the method does not allow. */
  create(options: MethodOptions): Method;
}

export const methods: Readonly<Record<string, MethodEntry>> = {
  baseline: {
    description: "full precision, to compare with",
    weightBits: [32],
    activationBits: [32],
    gradientBits: [32],
    presets: ["paper"],
    create({ preset = "paper", ...bits }) {
      for (const [field, value = 32] of Object.entries(bits)) {
        if (value !== 32) throw new UserError(`${field} must be 32 for baseline, got ${value}`, field);
      }
      checkPreset("baseline", preset, ["paper"]);
      return baseline();
    },
  },
  dorefa: {
    description: "DoReFa-Net (Zhou et al. 2016): uniform weights, activations and gradients",
    weightBits: uniformBits,
    activationBits: uniformBits,
    gradientBits: uniformBits,
    presets: ["paper"],
    create: (options) => dorefa(options as DorefaOptions),
  },
};

/** @throws UserError for an unknown name, or options that the method does not allow. */
export function createMethod(name: string, options: MethodOptions = {}): Method {
  if (!Object.hasOwn(methods, name)) {
    throw new UserError(`method must be one of ${Object.keys(methods).join(", ")}, got "${name}"`, "method");
  }
  return methods[name].create(options);
}
