/** Builds the dashboard's page, which the server in `src/dashboard` reads; `--outDir` puts it elsewhere. */
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    outDir: "../../dist/dashboard/page",
    emptyOutDir: true,
    target: "es2022",
    // The server's Content-Security-Policy allows files of its own, and nothing that stands in the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Licences of what is bundled ask to stand beside it.
    license: { fileName: "licences.md" },
    reportCompressedSize: false,
  },
});
