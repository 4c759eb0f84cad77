/** Writes schema/*.json, the JSON Schemas of configurations and studies, from the table of settings. Reads dist/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jsonSchemas } from "../dist/experiments/json-schemas.js";

const folder = fileURLToPath(new URL("../schema", import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(join(folder, name), `${JSON.stringify(schema, null, 2)}\n`);
}
