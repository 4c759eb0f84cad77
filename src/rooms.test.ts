/** The import rules of docs/architecture.md: each room may import only from those named in its row. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = dirname(fileURLToPath(import.meta.url));

/** The rooms of the document's table, and what each may import beside itself. */
function readTable(): Map<string, readonly string[]> {
  const document = readFileSync(join(src, "..", "docs", "architecture.md"), "utf8");
  const allowed = new Map<string, readonly string[]>();
  for (const [, folders, names] of document.matchAll(/^\| (`src\/[^|]*) \|[^|]*\| ([^|]*) \|$/gm)) {
    const earlier = [...allowed.keys()];
    const listed = names.replace(/ \([^)]*\)/g, "").split(", ");
    const imports = { nothing: [], "all above": earlier }[names] ?? listed;
    for (const name of imports)
      if (!earlier.includes(name)) throw new Error(`${name} is not above ${folders}`);
    for (const [, room] of folders.matchAll(/`src\/([\w-]+)[^`]*`/g)) allowed.set(room, imports);
  }
  return allowed;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return path.endsWith(".ts") && !/\.test\./.test(path) ? [path] : [];
  });
}

const roomOf = (path: string): string => relative(src, path).split("/")[0].replace(/\.ts$/, "");

/** The files that a file imports by a relative path. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, target]) =>
    resolve(dirname(path), target.replace(/\.js$/, ".ts")),
  );
}

test("the table lists every room and nothing else", () => {
  const rooms = new Set(sources(src).map(roomOf));
  expect([...readTable().keys()].sort()).toEqual([...rooms].sort());
});

test("every import stays within its room's rules", () => {
  const allowed = readTable();
  const all = sources(src).flatMap((path) => importsOf(path).map((target) => ({ path, target })));
  expect(all.length).toBeGreaterThan(200);
  const offending = all
    .filter(({ path, target }) => {
      const [from, to] = [roomOf(path), roomOf(target)];
      return from !== to && !allowed.get(from)?.includes(to);
    })
    .map(({ path, target }) => `${relative(src, path)} imports ${relative(src, target)}`);
  expect(offending).toEqual([]);
});

test("the room of run folders has one door", () => {
  const behind = sources(src)
    .flatMap((path) => importsOf(path).map((target) => ({ path, target })))
    .filter(({ path, target }) => roomOf(path) !== "run-folder" && roomOf(target) === "run-folder")
    .filter(({ target }) => relative(src, target) !== join("run-folder", "index.ts"));
  expect(behind.map(({ path, target }) => `${relative(src, path)} imports ${relative(src, target)}`)).toEqual(
    [],
  );
});

test("no files import one another in a circle, types included", () => {
  const all = sources(src);
  const known = new Set(all);
  const imports = new Map(all.map((path) => [path, importsOf(path).filter((target) => known.has(target))]));
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      const circle = [...way.slice(way.indexOf(path)), path].map((file) => relative(src, file));
      throw new Error(circle.join(" imports "));
    }
    if (done.has(path)) return;
    for (const target of imports.get(path)!) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of all) visit(path, []);
});

/** Programs beside src, which no compiler checks: benchmarks, fuzzers, scripts. */
const programs = ["bench", "scripts", "tools"].flatMap((folder) => {
  const root = join(src, "..", folder);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => join(root, name));
});

test("benchmarks, scripts and fuzzers import what src exports", () => {
  const imports = programs.flatMap((path) =>
    [
      ...readFileSync(path, "utf8").matchAll(/import\s*\{([^}]*)\}\s*from\s*"([^"]*dist\/[^"]+)\.js"/g),
    ].flatMap(([, names, target]) =>
      names
        .split(",")
        .map((name) => name.trim().split(" as ")[0])
        .filter((name) => name !== "")
        .map((name) => ({ path, name, file: `${target.replace(/^.*dist\//, "")}.ts` })),
    ),
  );
  expect(imports.length).toBeGreaterThan(50);
  const missing = imports.filter(({ name, file }) => {
    const text = readFileSync(join(src, file), "utf8");
    const isListed = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].some(([, names]) =>
      names.split(/[\s,]+/).includes(name),
    );
    return (
      !isListed && !/^export \*/m.test(text) && !new RegExp(`^export [^=({]*\\b${name}\\b`, "m").test(text)
    );
  });
  expect(missing.map(({ path, name, file }) => `${relative(src, path)} imports ${name} of ${file}`)).toEqual(
    [],
  );
});
