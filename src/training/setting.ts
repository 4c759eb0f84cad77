/** The type of a row in the table of settings, and schemas whose messages say what is allowed. */
import { z } from "zod";
import { shown, suggestion } from "../errors.js";
import type { Registry } from "../errors/registry.js";
import type { Recipe } from "../run-folder/index.js";

/** The flag of a setting. */
export interface Flag {
  /** The flag as commander reads it, such as "--depth <layers>". */
  readonly usage: string;
  readonly help: string;
  /**
   * How a text is parsed: as a number, as numbers with commas between, as one item of a list for a repeatable flag, as the
   * bits of a layer, or as a number or names of classes. Default: it stays a text.
   */
  readonly reads?: "number" | "numbers" | "list" | "layer" | "classes";
}

/** A group of flags, of which a command has all or none. */
export type FlagGroup = "network" | "data" | "images" | "mirrors" | "training" | "executor" | "log" | "out";

/** A row of the table of settings. */
export interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** What a configuration without the key means, unless that depends on its other keys. */
  readonly default?: unknown;
  /** A configuration must have it. */
  readonly required?: true;
  readonly group: FlagGroup;
  /** The registry whose entry it names; it may also name a file of the user's code that exports one: see `code.ts`. */
  readonly registry?: Registry;
  /** Without a flag, a command takes the setting as an argument or in a way of its own. */
  readonly flag?: Flag;
  /** The part of a run's recipe that it decides; none if it decides no bit of the result. */
  readonly part?: keyof Recipe | "epochs" | "executor";
  /** What runs older than the setting did. At this value it is left out of identities, so that these stay as they were. */
  readonly absent?: unknown;
  /** The library's `train` takes it, too, by the same name. */
  readonly isInCode?: true;
  /** A run may go on with another value. */
  readonly resumable?: true;
  /** It says where on a machine, or with what resources, a run is done; another machine needs its own. */
  readonly isLocal?: true;
  /** `config.json` does not keep it among the options that the run was given. */
  readonly isForgotten?: true;
  /** One value is a list, so that a list in a grid is not one of values. */
  readonly isList?: true;
  /** The setting without which this one has no effect. */
  readonly needs?: {
    readonly words: string;
    isMet(options: Readonly<Record<string, unknown>>): boolean;
  };
}

/** What a value is, for an editor; `field` hides it from zod. */
const shapes = new WeakMap<object, z.ZodType>();

/**
 * A rule whose message reads "FIELD must be ALLOWED, got VALUE", and which of `names` was likely meant.
 *
 * @param shape what an editor shows, where the schema itself does not say it.
 */
export function field<T>(
  allowed: string,
  schema: z.ZodType<T>,
  names: readonly string[] = [],
  shape: z.ZodType = schema,
) {
  const rule = z.any().transform((value, context): T => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const message = `must be ${allowed}, got ${shown(value)}${suggestion(value, names)}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
  shapes.set(rule, shape);
  return rule;
}

export const whole = (low: number, high: number) =>
  field(`an integer from ${low} to ${high}`, z.number().int().min(low).max(high));
export const bits = field(
  "an integer from 1 to 8 or 32",
  z.union([z.number().int().min(1).max(8), z.literal(32)]),
);
export const positive = field("a positive number", z.number().gt(0));
export const notNegative = field("a number that is not negative", z.number().min(0));
export const fraction = field("a number from 0 to below 1", z.number().min(0).lt(1));
export const text = field("a text that is not empty", z.string().regex(/^[^\0]+$/));
export const oneOf = <T extends string>(...names: readonly T[]) =>
  field(`one of ${names.join(", ")}`, z.enum(names) as unknown as z.ZodType<T>, names);
/** How the path of a file of code may end. */
export const codeEndings = ["mjs", "js", "cjs", "ts", "mts", "cts"] as const;
const codeFile = /\.[cm]?[jt]s$/;
/** Whether a value is the path of a file of code. */
export const isCodeFile = (value: unknown): value is string =>
  typeof value === "string" && codeFile.test(value);

/** The properties of a setting that names an entry of a registry: one that ships, or a loaded file. */
export const ofRegistry = <R extends Registry>(registry: R) => ({
  registry,
  schema: field(
    `one of ${registry.names.join(", ")}`,
    z.string().refine((name) => registry.find(name) !== undefined),
    registry.names,
    z.union([z.enum(registry.names), z.string().regex(codeFile)]),
  ),
});
export const yesOrNo = field("true or false", z.boolean());

/** A schema as JSON Schema (draft 2020-12), of what a file may hold. */
export function jsonSchemaOf(schema: z.ZodType): object {
  return z.toJSONSchema(schema, {
    io: "input",
    override({ zodSchema, jsonSchema }) {
      const meta = z.globalRegistry.get(zodSchema as unknown as z.ZodType);
      if (meta !== undefined && "default" in meta)
        jsonSchema.default = meta.default as typeof jsonSchema.default;
      const shape = shapes.get(zodSchema);
      if (shape === undefined) return;
      const { $schema: _, ...inner } = jsonSchemaOf(shape) as Record<string, unknown>;
      Object.assign(jsonSchema, inner);
    },
  });
}
