/**
 * The declarations that the package ships, as an editor reads them: every type that a public signature names
 * can be imported, and everything that can be imported says what it is.
 */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "./cli/cli.test.fixture.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const entries = { fewbit: "dist/index.d.ts", "fewbit/web": "dist/web.d.ts" };

let program: ts.Program;
let checker: ts.TypeChecker;
beforeAll(() => {
  build();
  program = ts.createProgram(
    Object.values(entries).map((path) => join(root, path)),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ["node"],
      noEmit: true,
    },
  );
  checker = program.getTypeChecker();
});

/** What a name stands for, behind imports and exports of it. */
const behind = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;

/** The exports of an entry by name, a member of a group (`datasets.digits`) as well. */
function exportsOf(path: string): Map<string, ts.Symbol> {
  const file = program.getSourceFile(join(root, path))!;
  const found = new Map<string, ts.Symbol>();
  for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(file)!)) {
    const symbol = behind(exported);
    found.set(exported.name, symbol);
    const declaration = symbol.valueDeclaration;
    if (declaration === undefined || !ts.isVariableDeclaration(declaration)) continue;
    for (const member of groupMembers(declaration))
      found.set(`${exported.name}.${member.name}`, member.symbol);
  }
  return found;
}

/** The functions of an object such as `datasets`, which its type names by `typeof`. */
function groupMembers({ type }: ts.VariableDeclaration): { name: string; symbol: ts.Symbol }[] {
  if (type === undefined || !ts.isTypeLiteralNode(type)) return [];
  return type.members.flatMap((member) => {
    if (!ts.isPropertySignature(member) || member.type === undefined || !ts.isTypeQueryNode(member.type))
      return [];
    return [
      { name: member.name.getText(), symbol: behind(checker.getSymbolAtLocation(member.type.exprName)!) },
    ];
  });
}

const isOurs = (declaration: ts.Declaration): boolean => {
  const path = relative(root, declaration.getSourceFile().fileName);
  return path.startsWith("dist/");
};

/** The types of fewbit that a declaration names, without its own parameters and what is private. */
function typesNamed(declaration: ts.Declaration): Set<ts.Symbol> {
  const named = new Set<ts.Symbol>();
  const visit = (node: ts.Node): void => {
    const isPrivate =
      ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
    if (isPrivate === true) return;
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : ts.isImportTypeNode(node)
          ? node.qualifier
          : undefined;
    const symbol = name && checker.getSymbolAtLocation(name);
    if (symbol !== undefined) {
      const type = behind(symbol);
      const isParameter = (type.flags & ts.SymbolFlags.TypeParameter) !== 0;
      if (!isParameter && type.declarations?.some(isOurs)) named.add(type);
    }
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return named;
}

describe.each(Object.entries(entries))("%s", (_name, path) => {
  test("exports every type that its signatures name", () => {
    const exported = exportsOf(path);
    const known = new Set(exported.values());
    const missing = [...exported].flatMap(([name, { declarations = [] }]) =>
      declarations
        .filter(isOurs)
        .flatMap((declaration) => [...typesNamed(declaration)])
        .filter((type) => !known.has(type))
        .map((type) => `${type.name}, which ${name} names`),
    );
    expect([...new Set(missing)].sort()).toEqual([]);
  });

  test("says of everything what it is", () => {
    const exported = exportsOf(path);
    expect(exported.size).toBeGreaterThan(100);
    const silent = [...exported]
      .filter(([, symbol]) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() === "")
      .map(([name]) => name);
    expect(silent.sort()).toEqual([]);
  });
});

test("the declarations are sound without skipLibCheck", () => {
  const own = program
    .getSourceFiles()
    .filter(({ fileName }) => dirname(relative(root, fileName)).startsWith("dist"))
    .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]);
  expect(own.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "))).toEqual([]);
});
