/** `--method ./pact.mjs`: a method from a file of the user's, whose default export is an entry like those of `methods`. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../errors.js";
import type { Method, NewMethod } from "../quantization/index.js";
import type { RunCode } from "./code.js";
import { checkedCode, checksumOfCode, settled } from "./code.js";
import { bitsText, isMethodFile, methods, registerMethod, uniformBits } from "../quantization/index.js";

/**
 * Loads the method that a configuration names by file, if it does: from that file, or for a stored run from the one
 * that the command names. @throws UserError for a file that gives none, or is not the run's.
 */
export async function loadMethod(name: unknown, stored?: RunCode): Promise<void> {
  if (!isMethodFile(name) || Object.hasOwn(methods, name)) return;
  const path = stored?.path ?? name;
  if (!existsSync(path))
    throw mistake(
      `cannot load the method ${path}: there is no such file; its path begins in the current folder`,
    );
  const file = stored === undefined ? checksumOfCode(path) : checkedCode(stored);
  let module: { default?: unknown };
  try {
    module = await settled(import(pathToFileURL(resolve(path)).href) as Promise<typeof module>);
  } catch (error) {
    throw mistake(`cannot load the method ${name}: ${(error as Error).message}`);
  }
  const entry = module.default as Record<string, unknown> | undefined;
  if (typeof entry !== "object" || entry === null || typeof entry.create !== "function") {
    throw mistake(`${name} must have a default export { title, weightBits, activationBits, create }`);
  }
  for (const field of ["weightBits", "activationBits"]) {
    const allowed = entry[field];
    if (
      !Array.isArray(allowed) ||
      allowed.length === 0 ||
      !allowed.every((bits) => uniformBits.includes(bits))
    ) {
      throw mistake(`${name} must list in ${field} the bits that it allows, each ${bitsText(uniformBits)}`);
    }
  }
  const { create, ...rest } = entry as unknown as NewMethod;
  registerMethod(name, { ...rest, create: (options) => made(name, file, () => create(options)) });
}

/** What a method must have, and of which type. */
const parts = {
  ...{ name: "string", options: "object", weightBits: "number", activationBits: "number" },
  ...{ fullPrecision: "function", weights: "function", activations: "function" },
} as const;

/** What a file's `create` returns, if it is a method; with the file's checksum, since a stored run belongs to just this one. */
function made(file: string, checksum: string, create: () => Method): Method {
  let method: Method | undefined;
  try {
    method = create();
  } catch (error) {
    const reason = (error as Error).message;
    throw error instanceof UserError ? error : mistake(`create() of ${file} fails: ${reason}`);
  }
  for (const [part, type] of Object.entries(parts)) {
    if (typeof method?.[part as keyof typeof parts] === type) continue;
    throw mistake(`create() of ${file} must return a Method, but its "${part}" is no ${type}`);
  }
  return { ...method, options: { ...method.options, file: checksum } };
}

const mistake = (message: string): UserError => new UserError(message, "method");
