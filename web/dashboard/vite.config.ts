/** Builds the dashboard's page, which the server in `src/dashboard` reads; `--outDir` puts it elsewhere. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vite";

/** Licences of what is bundled ask to stand beside it. */
const licences: Plugin = {
  name: "licences",
  generateBundle(_, bundle) {
    const folders = new Set<string>();
    for (const file of Object.values(bundle)) {
      if (file.type !== "chunk") continue;
      for (const id of file.moduleIds) {
        const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ""));
        if (found !== null) folders.add(found[0]);
      }
    }
    const texts = [...folders].sort().map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<
        string,
        string
      >;
      const licence = ["LICENSE", "LICENSE.md", "LICENCE", "license"].find((file) =>
        existsSync(join(folder, file)),
      );
      if (licence === undefined) this.error(`${name} has no file of its licence`);
      return `# ${name} ${version}\n\n${readFileSync(join(folder, licence), "utf8").trim()}\n`;
    });
    this.emitFile({ type: "asset", fileName: "licences.md", source: texts.join("\n") });
  },
};

export default defineConfig({
  plugins: [licences],
  build: {
    outDir: "../../dist/dashboard/page",
    emptyOutDir: true,
    target: "es2022",
    // The server's Content-Security-Policy allows files of its own, and nothing that stands in the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
