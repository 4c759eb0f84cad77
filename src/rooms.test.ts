/** The import rules of docs/architecture.md: each room may import only from those named in its row. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = dirname(fileURLToPath(import.meta.url));

/** The row of a room, and what it may import beside itself. */
const base = ["errors.ts", "random"];
const allowed: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  random: [],
  graph: base,
  runtime: [...base, "graph"],
  compiler: [...base, "graph", "runtime"],
  quantization: [...base, "graph"],
  nn: [...base, "graph", "quantization"],
  models: [...base, "graph", "quantization", "nn"],
  optim: [...base, "graph"],
  data: base,
  published: [],
  training: [
    ...base,
    "graph",
    "runtime",
    "compiler",
    "quantization",
    "nn",
    "models",
    "optim",
    "data",
    "published",
  ],
  cli: [...base, "runtime", "quantization", "nn", "data", "published", "training"],
  "index.ts": [
    ...base,
    "graph",
    "runtime",
    "compiler",
    "quantization",
    "nn",
    "models",
    "optim",
    "data",
    "training",
  ],
};

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return path.endsWith(".ts") && !/\.test\./.test(path) ? [path] : [];
  });
}

const roomOf = (path: string): string => relative(src, path).split("/")[0];

/** The files that a file imports by a relative path. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, target]) =>
    resolve(dirname(path), target.replace(/\.js$/, ".ts")),
  );
}

test("every import stays within its room's rules", () => {
  const all = sources(src).flatMap((path) => importsOf(path).map((target) => ({ path, target })));
  expect(all.length).toBeGreaterThan(200);
  const offending = all
    .filter(({ path, target }) => {
      const [from, to] = [roomOf(path), roomOf(target)];
      return from !== to && !allowed[from]?.includes(to);
    })
    .map(({ path, target }) => `${relative(src, path)} imports ${relative(src, target)}`);
  expect(offending).toEqual([]);
});
