/** Formats numbers: the only place where they are rounded. */
import { counted, memoryText } from "../errors.js";
import type { BitPair, Cell, Counts, Group, Spread, Table } from "./report.js";
import { tolerance } from "./statistics.js";

/** Percent with two decimals, without the sign. */
export const accuracy = (value: number): string => value.toFixed(2);

/** Points with their sign: "+0.12", "−0.30", "0.00". */
export function points(value: number): string {
  const digits = Math.abs(value).toFixed(2);
  if (Number(digits) === 0) return digits;
  return `${value < 0 ? "−" : "+"}${digits}`;
}

/** "1/2": bits of weights and of activations. */
export const bits = ({ weightBits, activationBits }: BitPair): string =>
  `${weightBits ?? "?"}/${activationBits ?? "?"}`;

export const count = (value: number): string => value.toLocaleString("en-US");

export const size = (bytes: number): string => memoryText(bytes, bytes < 2 ** 20 ? 1 : 2);

/** "13.4 M", "1.2 G". */
export function operations(value: number): string {
  const power = value < 1e6 ? 1 : value < 1e9 ? 2 : 3;
  return `${(value / 1000 ** power).toFixed(1)} ${["", "k", "M", "G"][power]}`;
}

/** "99.45", of several seeds with their sample standard deviation: "99.45 ± 0.03". */
export const spread = ({ mean, deviation }: Spread): string =>
  deviation === null ? accuracy(mean) : `${accuracy(mean)} ± ${accuracy(deviation)}`;

/** "20 epochs, 3 seeds", and which seeds have not ended. */
export function extent({ epochs, seeds, unfinished }: Group): string {
  const open = unfinished.map((run) => `seed ${run.seed} unfinished: ${run.epochs} of ${epochs} epochs`);
  return [counted(epochs, "epoch"), counted(seeds.length, "seed"), ...open].join(", ");
}

/** The text of a cell without a result of ours; undefined for one with a result. */
export function missing({ state, group }: Cell): string | undefined {
  if (state === "trained") return undefined;
  if (state === "none") return "–";
  if (state === "untrained" || group === null) return "not trained";
  return `unfinished: ${Math.max(...group.unfinished.map(({ epochs }) => epochs))} of ${counted(group.epochs, "epoch")}`;
}

/** The published accuracy in words; undefined where the table has no such cell. */
export function reference({ published }: Cell): string | undefined {
  if (published === null) return undefined;
  return published.top1 === null ? "not reported" : accuracy(published.top1);
}

/** What a table shows, and how its cells compare. */
export function tableText({ dataset, counts, partOf, hasTop5 }: Table): string {
  const what = dataset.startsWith(`${partOf} at `) ? "smaller images" : "a part";
  const compared =
    partOf === null ? verdict(counts) : `${what} of ${partOf}, not compared with the published table`;
  return `Test top-1${hasTop5 ? " and top-5" : ""} in percent by bits of weights/activations; ${compared}.`;
}

/** Our top-5 of a cell, the published one and the difference: "85.10 / 86.00 −0.90"; undefined where none is shown. */
export function top5Text(
  { group, published, differenceTop5 }: Cell,
  { hasTop5 }: Pick<Table, "hasTop5">,
): string | undefined {
  if (!hasTop5 || group?.bestTop5 == null) return undefined;
  const ours = accuracy(group.bestTop5);
  if (published?.top5 == null || differenceTop5 === null) return ours;
  return `${ours} / ${accuracy(published.top5)} ${points(differenceTop5)}`;
}

/** A sentence about the cells that have a published accuracy; `of` says what the points refer to, where that is not obvious. */
export function verdict({ published, compared, within, ahead, behind }: Counts, of = ""): string {
  if (published === 0) return "not in the published table";
  return `${compared} of ${counted(published, "published cell")} trained: ${within} within ${tolerance} points${of}, ${ahead} ahead, ${behind} behind`;
}
