/** The page's files, read once: what is asked for is looked up among them, and no path is made of it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.js";

export interface PageFile {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Its name carries the hash of its content. */
  readonly lasting: boolean;
}

/** Built from `web/dashboard` beside this file's compiled form. */
const pageFolder = fileURLToPath(new URL("../../dist/dashboard/page", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".md": "text/markdown; charset=utf-8",
};

/** By the path of their address. @throws UserError if the page was not built. */
export function readPage(folder = pageFolder): ReadonlyMap<string, PageFile> {
  if (!existsSync(join(folder, "index.html"))) {
    throw new UserError("the dashboard's page is not built; build it with: npm run build");
  }
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(join(folder, "/").length).replaceAll("\\", "/");
    const body = new Uint8Array(readFileSync(path));
    files.set(name === "index.html" ? "/" : `/${name}`, { body, type, lasting: name.startsWith("assets/") });
  }
  return files;
}
