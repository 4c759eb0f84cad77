/** `fewbit report`. */
import { join } from "node:path";
import { UserError } from "../errors.js";
import { collectRuns } from "../experiments/index.js";
import { buildReport, csv, summaryText, json, markdown, page } from "../report/index.js";
import { writeAtomically } from "../files/write.js";
import { makeFolder } from "./folder.js";
import { print, warn } from "./text.js";

interface ReportFlags {
  readonly out?: string;
  readonly title?: string;
  readonly csv?: boolean;
  readonly json?: boolean;
}

export async function reportCommand(folders: readonly string[], flags: ReportFlags): Promise<void> {
  const { out = folders[0], title } = flags;
  const collection = await collectRuns(folders);
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
  print(summaryText(report));
  for (const name of Object.keys(files)) print(`wrote ${join(out, name)}`);
}
