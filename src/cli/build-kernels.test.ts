/** The script that builds the kernels, with a fake compiler that records its arguments and fails on demand. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { execute } from "./cli.test.fixture.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const x64 = process.arch === "x64" && ["linux", "darwin"].includes(process.platform);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-build-"));
  for (const part of ["kernels", "scripts", "package.json"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(
    join(folder, "compiler.cjs"),
    `#!${process.execPath}
const { appendFileSync, writeFileSync } = require("node:fs");
const args = process.argv.slice(2);
if (args[0] === "--version") console.log("compiler 1.0");
else {
  appendFileSync(${JSON.stringify(join(folder, "asked"))}, args.join(" ") + "\\n");
  const unknown = process.env.UNKNOWN?.split(" ").find((flag) => args.includes(flag));
  if (unknown) {
    console.error("compiler: error: unrecognized option " + unknown);
    process.exit(1);
  }
  writeFileSync(args[args.indexOf("-o") + 1], "");
}
`,
  );
  chmodSync(join(folder, "compiler.cjs"), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

const build = (env: Record<string, string>) =>
  execute(process.execPath, [join(folder, "scripts/build-kernels.mjs")], folder, { env });
const record = () =>
  JSON.parse(readFileSync(join(folder, "build/kernels.json"), "utf8")) as Record<string, unknown>;
const asked = () => readFileSync(join(folder, "asked"), "utf8").trim().split("\n");

describe.skipIf(!x64)("building the kernels", () => {
  test("sets that the compiler does not know are left out, and said", async () => {
    const env = { CXX: join(folder, "compiler.cjs"), UNKNOWN: "-mavx512bf16 -mavxvnni" };
    const { code, stdout } = await build(env);
    expect(code).toBe(0);
    expect(stdout).toContain(
      "without avx512bf16, which this compiler cannot build (compiler: error: unrecognized option -mavx512bf16)\n",
    );
    expect(stdout).toContain("without avx2vnni, which this compiler cannot build");
    expect(Object.keys(record().missing as object).sort()).toEqual(["avx2vnni", "avx512bf16"]);
    const compiled = asked().findLast((line) => line.includes("addon.cpp"));
    expect(compiled).toContain("-DFEWBIT_NO_avx512bf16");
    expect(compiled).toContain("-DFEWBIT_NO_avx2vnni");
    const linked = asked().at(-1)!;
    for (const family of ["isa_product", "isa_map", "isa"])
      expect(linked).toContain(`avx512vnni.${family}.o`);
    expect(linked).not.toMatch(/avx512bf16\.|avx2vnni\./);
    expect((await build(env)).stdout).toBe("");
  });

  test("without AVX2 there are no kernels, in one line", async () => {
    const { code, stdout } = await build({ CXX: join(folder, "compiler.cjs"), UNKNOWN: "-mavx2" });
    expect(code).toBe(0);
    expect(stdout.split("\n").at(-2)).toBe(
      "the native kernels do not compile (compiler: error: unrecognized option -mavx2; FEWBIT_BUILD_LOG=1 shows all); " +
        "fewbit will use its slower WebAssembly kernels",
    );
    expect(existsSync(join(folder, "build/fewbit.node"))).toBe(false);
  });

  test("a compiler that CXX names and that does not run is not passed over", async () => {
    const { code, stdout } = await build({ CXX: "no-such-compiler" });
    expect([code, stdout]).toEqual([
      0,
      'no C++ compiler: CXX is "no-such-compiler", which does not run; fewbit will use its slower WebAssembly kernels\n',
    ]);
  });

  test("a damaged record is built again", async () => {
    const env = { CXX: join(folder, "compiler.cjs") };
    await build(env);
    writeFileSync(join(folder, "build/kernels.json"), "");
    expect((await build(env)).stdout).toContain("built the native kernels");
    expect(record().missing).toEqual({});
  });
});

test.each([
  ["arm64", "darwin", "the native kernels need an x64 CPU, and this is arm64"],
  ["x64", "win32", "the native kernels need Linux or macOS, and this is win32"],
  ["x64", "darwin", undefined],
  ["x64", "linux", undefined],
])("%s on %s", async (arch, platform, problem) => {
  const script = new URL("../../scripts/build-kernels.mjs", import.meta.url).href;
  const { platformProblem } = (await import(script)) as {
    platformProblem(machine: { arch: string; platform: string }): string | undefined;
  };
  expect(platformProblem({ arch, platform })).toBe(problem);
});
