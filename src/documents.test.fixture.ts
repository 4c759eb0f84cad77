/** A folder of a user who follows a page of the documents: fewbit is in its node_modules, and `npx fewbit` runs it. */
import { mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Makes the folder; who asks for it removes it. */
export function userFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-user-"));
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/fewbit"));
  symlinkSync("../fewbit/bin/fewbit.js", join(folder, "node_modules/.bin/fewbit"));
  return folder;
}
