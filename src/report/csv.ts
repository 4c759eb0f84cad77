/** The runs as CSV, one line per run (RFC 4180), without text that a spreadsheet would take for a formula. */
import type { Report, ReportedRun } from "./report.js";
import { runDifference } from "./statistics.js";

const columns: Readonly<Record<string, (run: ReportedRun) => string | number | null>> = {
  dataset: (run) => run.dataset,
  network: (run) => run.model,
  method: (run) => run.method,
  weightBits: (run) => run.weightBits,
  activationBits: (run) => run.activationBits,
  seed: (run) => run.seed,
  epochs: (run) => run.epochs,
  epochsPlanned: (run) => run.epochsPlanned,
  bestTop1: (run) => run.best?.top1 ?? null,
  bestTop5: (run) => run.best?.top5 ?? null,
  bestEpoch: (run) => run.best?.epoch ?? null,
  bestChosenOn: (run) => run.chosenOn,
  lastTop1: (run) => run.last?.top1 ?? null,
  lastTop5: (run) => run.last?.top5 ?? null,
  publishedTop1: (run) => run.published,
  difference: runDifference,
  optimizer: (run) => run.optimizer,
  learningRate: (run) => run.learningRate,
  weightDecay: (run) => run.weightDecay,
  batchSize: (run) => run.batchSize,
  preset: (run) => run.preset,
  gradients: (run) => run.gradients,
  scoring: (run) => run.scoring,
  parameters: (run) => run.cost?.parameters ?? null,
  bytes: (run) => run.cost?.bytes ?? null,
  multiplyAccumulates: (run) => run.cost?.multiplyAccumulates ?? null,
  bitOperations: (run) => run.cost?.bitOperations ?? null,
  seconds: (run) => Math.round(run.seconds * 10) / 10,
  settings: (run) => run.settings,
  directory: (run) => run.directory,
  publishedTop5: (run) => run.publishedTop5,
};

/** Numbers are written as they are; a run that has not ended has no `difference`. */
export async function csv({ runs }: Report): Promise<string> {
  const { default: papa } = await import("papaparse");
  const fields = Object.keys(columns);
  const data = runs.map((run) => fields.map((field) => columns[field](run)));
  return `${papa.unparse({ fields, data }, { escapeFormulae: true, newline: "\r\n" })}\r\n`;
}
