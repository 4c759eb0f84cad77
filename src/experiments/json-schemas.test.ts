/** The JSON Schemas of configurations and studies. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { runKeys } from "../training/settings.js";
import { jsonSchemas } from "./json-schemas.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const schemas = jsonSchemas();
const parserOf = (name: string): z.ZodType =>
  z.fromJSONSchema(schemas[name] as Parameters<typeof z.fromJSONSchema>[0]);

test("the files are those of this table of settings; node scripts/make-schemas.mjs writes them", () => {
  const files = Object.fromEntries(
    readdirSync(`${root}/schema`).map((name) => [
      name,
      JSON.parse(readFileSync(`${root}/schema/${name}`, "utf8")) as unknown,
    ]),
  );
  expect(files).toEqual(JSON.parse(JSON.stringify(schemas)));
});

test("a configuration has every setting, with its default", () => {
  const { properties } = schemas["config.json"] as { properties: Record<string, { default?: unknown }> };
  expect(Object.keys(properties)).toEqual(["$schema", ...runKeys, "bits"]);
  expect([properties.epochs.default, properties.method.default]).toEqual([20, "baseline"]);
});

describe.each(["README.md", "docs/studies.md", "docs/adding-a-method.md", "docs/data.md"])("%s", (page) => {
  const text = readFileSync(`${root}/${page}`, "utf8");
  const examples = [...text.matchAll(/^```json\n(.*?)^```/gms)].map(
    ([, json]) => JSON.parse(json) as { $schema?: string },
  );
  test("examples name their schema, and are as it says", () => {
    for (const example of examples) {
      const name = /^\.\/node_modules\/fewbit\/schema\/(.*)$/.exec(example.$schema ?? "")?.[1];
      expect(Object.keys(schemas), JSON.stringify(example)).toContain(name);
      expect(parserOf(name!).safeParse(example).error).toBeUndefined();
    }
  });
});

test.each([
  ["config.json", { model: "lenet5", weightBits: 9 }],
  ["config.json", { model: "lenet5", weigthBits: 1 }],
  ["config.json", { bits: "1,2" }],
  ["study.json", { runs: [{ model: "lenet5", seed: [1, 2] }] }],
  ["study.json", { grids: [{ model: "lenet5", learningRate: [0.1, 0] }] }],
  ["study.json", { defaults: { out: "runs" } }],
])("%s refuses %j", (name, value) => {
  expect(parserOf(name).safeParse(value).success).toBe(false);
});

test.each([
  ["config.json", { $schema: "x", model: "lenet5", bits: "w1a2", layers: { fc1: { weightBits: 8 } } }],
  [
    "study.json",
    { grids: [{ model: ["lenet5"], bits: ["1/2", "w2a2"], seed: [1, 2], log: ["tensorboard"] }] },
  ],
])("%s takes %j", (name, value) => {
  expect(parserOf(name).safeParse(value).error).toBeUndefined();
});
