/** Every snippet of TypeScript and JavaScript in README, documents and examples compiles in strict mode, as a user's would. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build } from "./cli/cli.test.fixture.js";
import * as fewbit from "./index.js";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Every name that can be imported from fewbit, also as a type. */
function publicNames(): Set<string> {
  const path = join(root, "dist/index.d.ts");
  const program = ts.createProgram([path], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  });
  const checker = program.getTypeChecker();
  const file = checker.getSymbolAtLocation(program.getSourceFile(path)!)!;
  return new Set(checker.getExportsOfModule(file).map(({ name }) => name));
}
build();
const publicTypes = publicNames();

/** What a bundler adds to JavaScript. */
const bundlers = `
declare module "*.wasm" { const address: string; export default address; }
declare module "*.wasm?url" { const address: string; export default address; }
`;

/**
 * The page that declares again, in short, what the code declares. Its types come from the code, where a block does
 * not declare them; and what a block declares must be as the code has it. All other snippets stand alone.
 */
const sketches = "docs/architecture.md";
const inner = { Attributes: "tensor", Op: "op", Sampler: "op", Case: "op" };

/** The imports that a sketch lacks, and the comparison of what it declares with the code. */
function completed(code: string): string {
  const names = (pattern: RegExp) => new Set([...code.matchAll(pattern)].map(([, name]) => name));
  const types = names(/\b(?:interface|type) (\w+)/g);
  const functions = names(/\bdeclare function (\w+)/g);
  const used = [...names(/\b([A-Z]\w+)\b/g)].filter((name) => !types.has(name));
  const imports = used.map((name) => {
    if (name in inner) {
      return `import type { ${name} } from "./node_modules/fewbit/dist/graph/${inner[name as keyof typeof inner]}.js";`;
    }
    return publicTypes.has(name) ? `import type { ${name} } from "fewbit";` : "";
  });
  const same = [
    ...[...types]
      .filter((name) => publicTypes.has(name) && name !== "Tree")
      .map((name) => `null! as import("fewbit").${name} satisfies ${name};`),
    ...[...functions]
      .filter((name) => name in fewbit)
      .map((name) => `null! as typeof import("fewbit").${name} satisfies typeof ${name};`),
  ];
  return [...imports, code, ...same].join("\n");
}

interface Snippet {
  /** Where it stands. */
  readonly place: string;
  readonly file: string;
  readonly code: string;
}

const languages = { ts: "mts", js: "mjs" } as const;

function snippetsOf(path: string): Snippet[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/^```(ts|js)\n([^]*?)^```$/gm)].map(({ 1: language, 2: code, index }, i) => ({
    place: `${path}:${text.slice(0, index).split("\n").length + 1}`,
    file: `${path.replaceAll("/", "-")}-${i}.${languages[language as keyof typeof languages]}`,
    code: `${path === sketches ? completed(code) : code}\nexport {};\n`,
  }));
}

function examples(): Snippet[] {
  const files = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" });
  return files
    .filter((name) => /\.m?[jt]s$/.test(name))
    .map((name) => ({
      place: `examples/${name}`,
      file: `examples-${name.replaceAll("/", "-").replace(/\.js$/, ".mjs")}`,
      code: readFileSync(join(root, "examples", name), "utf8"),
    }));
}

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith(".md"),
);
const snippets = [...pages.flatMap(snippetsOf), ...examples()];

let folder: string;
let problems: Map<string, string[]>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-snippets-"));
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/fewbit"));
  symlinkSync(join(root, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  writeFileSync(join(folder, "bundlers.d.ts"), bundlers);
  for (const { file, code } of snippets) writeFileSync(join(folder, file), code);
  // The second snippet of a page may import the first by the name that the page gives it.
  writeFileSync(join(folder, "vgg7.mjs"), snippets.find(({ code }) => code.includes('network("vgg7"'))!.code);

  const program = ts.createProgram(
    [...snippets.map(({ file }) => join(folder, file)), join(folder, "bundlers.d.ts")],
    {
      strict: true,
      noEmit: true,
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
      preserveSymlinks: true,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
      types: ["node"],
    },
  );
  problems = new Map(
    snippets.map(({ file }) => {
      const source = program.getSourceFile(join(folder, file))!;
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [
        file,
        found.map(({ start = 0, messageText }) => {
          const line = source.getLineAndCharacterOfPosition(start).line + 1;
          return `${line}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
        }),
      ];
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

test("there are snippets", () => {
  expect(snippets.length).toBeGreaterThan(15);
});

test.each(snippets)("$place", ({ file }) => {
  expect(problems.get(file)).toEqual([]);
});
