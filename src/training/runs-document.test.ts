/** docs/runs.md lists exactly what is in the files. `python.test.ts` runs its example. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  configSchema,
  confusionSchema,
  decodeTensors,
  fileNames,
  layersSchema,
  metricsSchema,
} from "../run-folder/index.js";
import { trainedRun } from "./trained.test.fixture.js";

const text = readFileSync(new URL("../../docs/runs.md", import.meta.url), "utf8");

/** What stands in backticks in the first column of the table below a heading. */
function documented(heading: string): string[] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(heading));
  if (section === undefined) throw new Error(`docs/runs.md has no ${heading}`);
  const rows = [...section.matchAll(/^\| (`[^|]*) \|/gm)];
  return rows.flatMap(([, cell]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, key]) => key));
}

/** The keys of a schema, those of objects within it as `test.loss`. */
function keysOf(schema: unknown, path = ""): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return keysOf(schema.unwrap(), path);
  if (!(schema instanceof z.ZodObject)) return [path];
  return Object.entries(schema.shape).flatMap(([key, value]) =>
    keysOf(value, path === "" ? key : `${path}.${key}`),
  );
}

const folder = trainedRun();

describe("the document has the keys of", () => {
  test.each([
    ["`config.json`", configSchema],
    ["`metrics.jsonl`", metricsSchema],
    ["`layers.jsonl`", layersSchema],
    ["`confusion.jsonl`", confusionSchema],
  ])("%s", (file, schema) => {
    expect(documented(file).sort()).toEqual([...keysOf(schema)].sort());
  });

  test("summary.json", () => {
    const summary = JSON.parse(readFileSync(join(folder, fileNames.summary), "utf8")) as object;
    expect(documented("`summary.json`")).toEqual(Object.keys(summary));
  });

  test("the folder", () => {
    const files = documented("What a run leaves").filter((name) => !/^(events\..*|lock)$/.test(name));
    expect(files.sort()).toEqual(Object.values(fileNames).sort());
  });
});

test("tensors and metadata are named as documented", () => {
  const section = text.slice(text.indexOf("## `checkpoint.safetensors`"), text.indexOf("## TensorBoard"));
  const patterns = [
    ...[
      /^parameters\/[\w-]+\.weight$/,
      /^parameters\/bn\d\.(scale|shift)$/,
      /^statistics\/bn\d\.(mean|variance)$/,
    ],
    ...[/^optimizer\/[mv]\//, /^signs\/[\w-]+$/],
  ];
  const { tensors, metadata } = decodeTensors(readFileSync(join(folder, fileNames.checkpoint)), "checkpoint");
  for (const name of Object.keys(tensors)) {
    expect(
      patterns.filter((pattern) => pattern.test(name)),
      name,
    ).toHaveLength(1);
  }
  for (const pattern of patterns) expect(Object.keys(tensors).some((name) => pattern.test(name))).toBe(true);
  for (const key of [...Object.keys(metadata), "sha256"]) expect(section).toContain(`\`${key}\``);
});
