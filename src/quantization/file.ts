/** The registry of methods as settings name them: those that ship, and those in a user's file. */
import { UserError } from "../errors.js";
import type { Registry } from "../errors/registry.js";
import { exportedEntry, guarded, resultOf } from "../errors/registry.js";
import type { Method } from "./method.js";
import { uniformBits } from "./options.js";
import type { MethodEntry, NewMethod } from "./registry.js";
import { bitsText, methods, registerMethod } from "./registry.js";

/** The methods by name. */
export const methodRegistry: Registry<MethodEntry> = {
  title: "method",
  names: Object.keys(methods),
  find: (name) => (typeof name === "string" && Object.hasOwn(methods, name) ? methods[name] : undefined),
  register(path, exported, checksum) {
    const entry = checkedEntry(path, exported);
    registerMethod(path, {
      ...entry,
      create: (options) => made(path, checksum, () => entry.create(options)),
    });
  },
};

function checkedEntry(path: string, exported: unknown): NewMethod {
  const members = ["title", "weightBits", "activationBits", "create"];
  const entry = exportedEntry<NewMethod>(path, exported, { field: "method", members });
  for (const field of ["weightBits", "activationBits"] as const) {
    const allowed: unknown = entry[field];
    if (
      !Array.isArray(allowed) ||
      allowed.length === 0 ||
      !allowed.every((bits) => uniformBits.includes(bits))
    ) {
      throw mistake(`${path} must list in ${field} the bits that it allows, each ${bitsText(uniformBits)}`);
    }
  }
  return entry;
}

/** The parts that a method must have, with their types. */
const parts = {
  name: "string",
  options: "object",
  weightBits: "number",
  activationBits: "number",
  fullPrecision: "function",
  weights: "function",
  activations: "function",
} as const;

/** The method that a file's `create` returns, with the file's checksum, since a stored run belongs to this version of the file. */
function made(file: string, checksum: string, create: () => Method): Method {
  const method: Method | undefined = resultOf(`create() of ${file}`, "method", create);
  for (const [part, type] of Object.entries(parts)) {
    if (typeof method?.[part as keyof typeof parts] === type) continue;
    throw mistake(`create() of ${file} must return a Method, but its "${part}" is not of type ${type}`);
  }
  return guarded(file, "method", { ...method, options: { ...method.options, file: checksum } });
}

const mistake = (message: string): UserError => new UserError(message, "method");
