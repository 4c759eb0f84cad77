/** `fewbit summary`. */
import type { Command } from "commander";
import { summarise } from "../nn/index.js";
import { resolveNetwork } from "../training/config.js";
import type { Given } from "./given.js";
import { given, parse, withSource } from "./flags.js";
import { print, summaryTable } from "./text.js";

/** A size or channels mean images of that shape, as a folder's become. */
const onImages = (from: Given): Given =>
  "imageSize" in from.values || "channels" in from.values
    ? { ...from, values: { ...from.values, data: "images" } }
    : from;

export async function summaryCommand(name: string, command: Command): Promise<void> {
  const from = onImages(given(command, name));
  const options = await parse(from);
  const { model, method } = withSource(from, () => resolveNetwork(options));
  const summary = summarise(model, method);
  const { json } = command.opts<{ json?: boolean }>();
  print(json === true ? JSON.stringify(summary) : summaryTable(summary).join("\n"));
}
