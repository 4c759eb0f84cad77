/** JSON Schemas of the files that users write, from which editors complete and check them: `schema/`. */
import { z } from "zod";
import { bitsPair } from "../training/bits.js";
import { jsonSchemaOf } from "../training/setting.js";
import { rows } from "../training/settings.js";
import { studySchema } from "./study.js";

/** Keys that any of these files may have besides its own. */
const ofFile = { $schema: z.string().optional() };
const pair = bitsPair.optional();

/** Every setting is optional and has its default in its description. */
const settingsShape: Record<string, z.ZodType> = Object.fromEntries(
  rows.map(([key, { schema, flag, ...row }]) => [
    key,
    schema
      .optional()
      .meta({ description: flag?.help, ...("default" in row ? { default: row.default } : {}) }),
  ]),
);

/** What a file for `fewbit train --config FILE` may hold. Flags give what it leaves out, so nothing is required. */
const configuration = z.strictObject({ ...ofFile, ...settingsShape, bits: pair });

const { out: _, ...shared } = settingsShape;
/** Settings of one run of a study, in which the study says where runs are kept. */
const run = z.strictObject({ ...shared, bits: pair });
const orList = (schema: z.ZodType): z.ZodType => z.union([schema, z.array(schema)]).optional();
/** Settings of which each may be a list of values. */
const grid = z.strictObject({
  ...Object.fromEntries(
    rows
      .filter(([key]) => key !== "out")
      .map(([key, { schema, isList }]) => [key, isList === true ? schema.optional() : orList(schema)]),
  ),
  bits: orList(bitsPair),
});
const study = z.strictObject({
  ...studySchema.shape,
  defaults: run.optional(),
  grids: z.array(grid).optional(),
  runs: z.array(run).optional(),
  exclude: z.array(grid).optional(),
});

/** The JSON Schema of each kind of file, by its own file's name in `schema/`. */
export const jsonSchemas = (): Readonly<Record<string, object>> => ({
  "config.json": jsonSchemaOf(configuration.meta({ title: "a configuration of fewbit" })),
  "study.json": jsonSchemaOf(study.meta({ title: "a study of fewbit" })),
});
