/** Formats results for people: accuracies and what they were chosen on, tables, numbers. */
import picocolors from "picocolors";
import { counted, memoryText, withoutControls } from "../errors.js";
import type { LayerSummary, NetworkSummary } from "../nn/index.js";
import type { Run, Split } from "../training/index.js";

/** Bars and colours suit a terminal; everything else gets plain lines. */
export function isFancy(stream: NodeJS.WriteStream = process.stdout): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

/** Colours where `isFancy`; picocolors alone would also colour the lines of a CI log. */
export const pc = picocolors.createColors(isFancy());

/** The sequences of `pc` and of pictures; whatever else would move a terminal's cursor or change it came from a file or a name. */
const colour = /(\u001b\[[\d;]*m)/;

/** Lines that are safe for a terminal: names of files and classes, and content of files, cannot control it. */
export const cleaned = (text: string): string =>
  text
    .split("\n")
    .map((line) =>
      (isFancy() ? line.split(colour) : [line])
        .map((part, i) => (i % 2 === 1 ? part : withoutControls(part)))
        .join(""),
    )
    .join("\n");

/** Writes lines to standard output. All that the command line says goes through here, or through `say` and `warn`. */
export const print = (text: string): void => console.log(cleaned(text));

/** Writes lines to standard error. */
export const say = (text: string): void => console.error(cleaned(text));

export const warn = (message: string): void => say(pc.yellow(`warning: ${message}`));

export const percent = (value: number): string => `${value.toFixed(2)}%`;

export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const days = minutes / 60 / 24;
  if (days < 2) return `${(24 * days).toFixed(1)} h`;
  if (days < 60) return `${days.toFixed(days < 10 ? 1 : 0)} days`;
  return days < 730 ? `${Math.round(days / 30.4)} months` : `${(days / 365.25).toFixed(1)} years`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return memoryText(bytes, bytes < 2 ** 20 ? 1 : 2);
}

export function chosenText(chosenOn: Split, heldOut: number): string {
  return chosenOn === "test"
    ? "best epoch chosen on the test set, as the published study did"
    : `best epoch chosen on ${heldOut.toLocaleString("en-US")} held-out training images`;
}

/** The result of a run: best and last accuracy on the test set, and what the best was chosen on. */
export function resultLines(run: Run): string[] {
  const { best, last, chosenOn, config } = run;
  if (run.metrics.length === 0) return ["no epoch has ended yet"];
  const lines = [
    `${pc.bold(pc.green(percent(best.test.top1)))} of the test images right after epoch ${best.epoch}, the best of ${last.epoch}`,
    `(${chosenText(chosenOn, config.validation)})`,
    `${percent(last.test.top1)} after the last epoch`,
  ];
  if (chosenOn === "validation") {
    lines.push(`${percent(best.top1)} of the held-out images right after epoch ${best.epoch}`);
  }
  if (last.damaged !== undefined) {
    lines.push(`${counted(last.damaged, "damaged image")} left out of the last epoch`);
  }
  return lines;
}

/** Columns padded to their widest cell; the first is aligned left, the others right. A cell is one line. */
export function table(given: readonly (readonly string[])[]): string[] {
  const rows = given.map((row) => row.map(withoutControls));
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
  );
}

/** A network by layer: bits, parameters, multiply-accumulates, memory packed and at 32 bits. */
export function summaryTable({ layers, totals }: NetworkSummary): string[] {
  const number = (value: number): string => value.toLocaleString("en-US");
  const row = (
    name: string,
    bits: string,
    size: Pick<LayerSummary, keyof NetworkSummary["totals"]>,
  ): string[] => [
    name,
    bits,
    number(size.parameters),
    number(size.multiplyAccumulates),
    bytesText(size.bytes),
    bytesText(size.bytes32),
  ];
  const normalisation = {
    parameters: totals.parameters - layers.reduce((sum, { parameters }) => sum + parameters, 0),
    multiplyAccumulates: 0,
    bytes: totals.bytes - layers.reduce((sum, { bytes }) => sum + bytes, 0),
    bytes32: totals.bytes32 - layers.reduce((sum, { bytes32 }) => sum + bytes32, 0),
  };
  const [head, ...body] = table([
    ["layer", "bits w/a", "parameters", "mult-adds", "memory", "at 32 bit"],
    ...layers.map((layer) => row(layer.name, `${layer.weightBits}/${layer.activationBits}`, layer)),
    row("batch norm", "32", normalisation),
    row("total", "", totals),
  ]);
  const ratio = (totals.bytes32 / totals.bytes).toFixed(1);
  return [
    pc.dim(head),
    ...body.slice(0, -1),
    pc.bold(body[body.length - 1]),
    pc.dim(`${ratio} times smaller than at 32 bit`),
  ];
}
