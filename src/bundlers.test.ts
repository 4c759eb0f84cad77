/** The installed package in Vite, esbuild and Node, as docs/web.md tells; pages run in Chromium. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esbuild from "esbuild";
import type { Browser } from "playwright-core";
import * as vite from "vite";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchChromium, openWindow, serveFiles } from "./browser.test.fixture.js";
import { build } from "./cli/cli.test.fixture.js";
import { copyExample, installPacked } from "./packed.test.fixture.js";

const line = "w = 3.000, -1.000";
const folder = mkdtempSync(join(tmpdir(), "fewbit-bundlers-"));
let browser: Browser;
beforeAll(async () => {
  build();
  installPacked(folder);
  // Vite serves what is below the root of a workspace.
  writeFileSync(join(folder, "package.json"), '{ "workspaces": ["*"] }');
  browser = await launchChromium();
});
const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** What the example's page says in the end. */
async function resultAt(url: string): Promise<string> {
  const page = await (await openWindow(browser)).newPage();
  await page.goto(url);
  const result = page.locator("#result");
  await expect.poll(() => result.textContent()).not.toBe("fitting a line ...");
  const text = await result.textContent();
  await page.context().close();
  return text!;
}

async function viteServer(root: string, config: vite.InlineConfig): Promise<string> {
  const server = await vite.createServer({
    root,
    configFile: false,
    logLevel: "error",
    cacheDir: join(root, "cache"),
    ...config,
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
  });
  open.push(() => server.close());
  await server.listen();
  return server.resolvedUrls!.local[0];
}

const excluded = { optimizeDeps: { exclude: ["fewbit"] } };

test("Vite's development server with optimizeDeps.exclude", async () => {
  const root = copyExample("web", join(folder, "vite-dev"));
  expect(await resultAt(await viteServer(root, excluded))).toBe(line);
});

test("Vite's development server without it: one line says what to do", async () => {
  const root = copyExample("web", join(folder, "vite-plain"));
  expect(await resultAt(await viteServer(root, {}))).toMatch(
    /^http:\S+fewbit\.wasm is no WebAssembly: it begins with "<!doctype html>.*" \(text\/html\); with Vite, give its configuration optimizeDeps: \{ exclude: \["fewbit"\] \};.*docs\/web\.md\)$/,
  );
});

/** The example, which gets the kernels' address by an import. */
function withAddress(root: string, from: string): string {
  const worker = join(copyExample("web", root), "worker.js");
  const text = readFileSync(worker, "utf8").replace("fetchWasm()", "fetchWasm(kernels)");
  writeFileSync(worker, `import kernels from "${from}";\n${text}`);
  return root;
}

test("Vite's development server without it, given the file's address", async () => {
  const root = withAddress(join(folder, "vite-address"), "fewbit/wasm/fewbit.wasm?url");
  expect(await resultAt(await viteServer(root, {}))).toBe(line);
});

test("Vite's build, and its server of what was built", async () => {
  const root = copyExample("web", join(folder, "vite-build"));
  await vite.build({ root, configFile: false, logLevel: "error" });
  const server = await serveFiles(join(root, "dist"));
  open.push(server.close);
  expect(await resultAt(server.url)).toBe(line);
});

const pages = { bundle: true, format: "esm", logLevel: "error" } as const;

test("esbuild, with the file beside the bundle's folder or by its loader", async () => {
  for (const [name, address] of [
    ["esbuild", undefined],
    ["esbuild-address", "fewbit/wasm/fewbit.wasm"],
  ] as const) {
    const root = join(folder, name);
    if (address === undefined) copyExample("web", root);
    else withAddress(root, address);
    const outdir = join(root, "public/assets/js");
    const entryPoints = [join(root, "main.js"), join(root, "worker.js")];
    await esbuild.build({ ...pages, entryPoints, outdir, loader: { ".wasm": "file" } });
    const html = readFileSync(join(root, "index.html"), "utf8");
    writeFileSync(join(root, "public/index.html"), html.replace("main.js", "assets/js/main.js"));
    if (address === undefined) {
      mkdirSync(join(root, "public/wasm"));
      copyFileSync(
        join(folder, "node_modules/fewbit/wasm/fewbit.wasm"),
        join(root, "public/wasm/fewbit.wasm"),
      );
    }
    const server = await serveFiles(join(root, "public"));
    open.push(server.close);
    expect(await resultAt(server.url), name).toBe(line);
  }
});

const run = (script: string, cwd: string): string =>
  execFileSync(process.execPath, [script], { cwd, encoding: "utf8" }).trim();

test("fetchWasm reads the file in Node", () => {
  const script = join(folder, "node.mjs");
  writeFileSync(
    script,
    `import { fetchWasm } from "fewbit/web";
     const path = new URL(import.meta.resolve("fewbit/wasm/fewbit.wasm"));
     const modules = [await fetchWasm(), await fetchWasm(path), await fetchWasm(path.href), await fetchWasm(path.pathname)];
     console.log(modules.every((module) => module instanceof WebAssembly.Module));
     for (const other of ["node.mjs", "lost.wasm"]) await fetchWasm(other).catch((e) => console.log(e.name, e.message));`,
  );
  const [read, another, lost] = run(script, folder).split("\n");
  expect(read).toBe("true");
  expect(another).toMatch(
    /^UserError node\.mjs is no WebAssembly: it begins with "import \{ fetchWasm.*docs\/web\.md\)$/,
  );
  expect(lost).toMatch(/^UserError lost\.wasm cannot be read \(ENOENT.*docs\/web\.md\)$/);
});

test.each(["esm", "cjs"] as const)(
  "a server bundled by esbuild as %s finds the kernels of the installed package, or beside it",
  async (format) => {
    const root = join(folder, `server-${format}`);
    mkdirSync(root);
    writeFileSync(
      join(root, "server.mjs"),
      'import { chooseExecutor } from "fewbit";\nconsole.log(chooseExecutor().reason);\n',
    );
    const extension = format === "esm" ? "mjs" : "cjs";
    const outfile = join(root, `dist/server.${extension}`);
    await esbuild.build({
      entryPoints: [join(root, "server.mjs")],
      outfile,
      bundle: true,
      platform: "node",
      format,
      logLevel: "silent",
      logOverride: { "empty-import-meta": "silent" },
      external: ["sharp"],
      // Packages of CommonJS within a bundle of ES modules ask for it.
      banner: {
        js:
          format === "esm"
            ? 'import { createRequire as from } from "node:module"; const require = from(import.meta.url);'
            : "",
      },
    });
    const reason = /^the WebAssembly executor on one thread/;
    expect(run(outfile, root)).toMatch(reason);

    const away = mkdtempSync(join(tmpdir(), "fewbit-bundled-"));
    try {
      copyFileSync(outfile, join(away, `server.${extension}`));
      expect(run(`server.${extension}`, away)).toMatch(
        /^the reference executor, because .*wasm\/fewbit\.wasm beside/,
      );
      copyFileSync(join(folder, "node_modules/fewbit/wasm/fewbit.wasm"), join(away, "fewbit.wasm"));
      expect(run(`server.${extension}`, away)).toMatch(reason);
    } finally {
      rmSync(away, { recursive: true });
    }
  },
);
