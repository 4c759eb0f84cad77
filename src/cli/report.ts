/** `fewbit report`. */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../errors.js";
import { collectRuns } from "../experiments/index.js";
import { buildReport, csv, fewestWords, json, markdown, page } from "../report/index.js";
import { makeDirectories, writeAtomically } from "../files/write.js";
import { warn } from "./text.js";

interface ReportFlags {
  readonly out?: string;
  readonly title?: string;
  readonly csv?: boolean;
  readonly json?: boolean;
}

export async function reportCommand(folders: readonly string[], flags: ReportFlags): Promise<void> {
  const { out = folders[0], title } = flags;
  const collection = collectRuns(folders);
  const report = buildReport(collection, { title: title ?? "Trained runs and the published table" });
  report.warnings.forEach((warning) => warn(warning));
  if (report.runs.length === 0) {
    throw new UserError(
      `no run can be read in ${folders.join(", ")}; give run folders, or folders that hold some`,
    );
  }
  const files = {
    "report.md": markdown(report),
    "report.html": await page(report),
    ...(flags.csv === true ? { "report.csv": await csv(report) } : {}),
    ...(flags.json === true ? { "report.json": json(report) } : {}),
  };
  makeFolder(out);
  for (const [name, content] of Object.entries(files)) {
    writeAtomically(join(out, name), content, { then: "report again, or choose another folder with --out" });
  }
  console.log(fewestWords(report));
  for (const name of Object.keys(files)) console.log(`wrote ${join(out, name)}`);
}

/** @throws UserError for a folder that cannot be made. */
function makeFolder(folder: string): void {
  const above = [folder];
  while (!existsSync(above[0]) && dirname(above[0]) !== above[0]) above.unshift(dirname(above[0]));
  if (!statSync(above[0], { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(`${above[0]} is not a folder; choose another with --out`);
  }
  try {
    makeDirectories(folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot make ${folder}: ${code ?? message}; choose another folder with --out`);
  }
}
