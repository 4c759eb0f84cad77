/** A folder of a user who follows a page of the documents: fewbit is in its node_modules, and `npx fewbit` runs it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
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

/**
 * Follows a page that has one file of code, which it says to save by a name, and then one block of commands.
 *
 * @param page its name in docs, without an ending.
 * @returns the folder, which who asks for it removes, the commands, and what each of them printed.
 */
export function followed(page: string): {
  folder: string;
  commands: readonly string[];
  outputs: readonly string[];
} {
  const text = readFileSync(join(root, `docs/${page}.md`), "utf8");
  const block = (language: string): string => new RegExp("```" + language + "\n([^]*?)```").exec(text)![1];
  const folder = userFolder();
  writeFileSync(join(folder, /Save this as\s+`([\w.]+)`/.exec(text)![1]), block("js"));
  const commands = block("sh").trim().split("\n");
  const outputs = commands.map((line) => execFileSync("sh", ["-c", line], { cwd: folder, encoding: "utf8" }));
  return { folder, commands, outputs };
}
