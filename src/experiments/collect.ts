/** Reads the runs under folders and finds the cell of the published table for each. */
import { existsSync, realpathSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { dataSetNamed } from "../data/index.js";
import { firstLineOf, UserError } from "../errors.js";
import type { PublishedRow } from "../published/index.js";
import { publishedRow } from "../published/index.js";
import { methods } from "../quantization/index.js";
import type { EpochMetrics } from "../training/index.js";
import type { RunConfig } from "../run-folder/index.js";
import { fileNames, readConfig, readMetrics } from "../run-folder/index.js";
import { findRuns, linkWarnings } from "./find.js";

/** What a run was trained on and how, in the words of the published table where it knows them. */
export interface Cell {
  /**
   * "MNIST"; as the run calls it where the table has no such data set. The shipped parts are not the whole sets, and parts of
   * ImageNet say what they are: "10 classes of ImageNet".
   */
  readonly dataset: string;
  /** The data set of the published table of which it is a part: it is not compared with that. */
  readonly partOf: PublishedRow["dataset"] | undefined;
  /** "resnet20". */
  readonly model: string;
  /** "dorefa". */
  readonly method: string;
  /** Undefined for a method of the user's that does not say. */
  readonly weightBits: number | undefined;
  readonly activationBits: number | undefined;
  readonly published: PublishedRow | undefined;
}

/** A run found on disk. */
export interface FoundRun extends Cell {
  /** The folder's path below the one that was searched, which is unique within it; the folder's own name if it is that one. */
  readonly name: string;
  readonly directory: string;
  readonly config: RunConfig;
  /** The finished epochs. */
  readonly metrics: readonly EpochMetrics[];
}

export interface Collection {
  /** In the order of their paths. */
  readonly runs: readonly FoundRun[];
  /** One line per folder that looks like a run's and cannot be read. */
  readonly warnings: readonly string[];
}

/**
 * Finds runs: the folders themselves and what lies in them. A damaged run, or one of another program, is left out with
 * a warning. @throws UserError for a folder that is not there.
 */
export async function collectRuns(folders: readonly string[]): Promise<Collection> {
  const runs = new Map<string, FoundRun>();
  const warnings: string[] = [];
  for (const folder of folders) {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      throw new UserError(`${folder} is not a folder; give run folders, or folders that hold some`);
    }
    const found = await findRuns(folder);
    for (const directory of found.runs) {
      try {
        const name = relative(folder, directory) || basename(realpathSync(directory));
        runs.set(realpathSync(directory), readFound(name, directory));
      } catch (error) {
        warnings.push(`left out: ${firstLineOf(error)}`);
      }
    }
    warnings.push(...found.unread, ...linkWarnings(found.links));
  }
  return { runs: [...runs.values()], warnings };
}

/** @throws UserError if the folder holds no run, or a damaged one. */
export function readFound(name: string, directory: string): FoundRun {
  const config = readConfig(directory);
  const metrics = readMetrics(join(directory, fileNames.metrics), Infinity);
  return { name, directory, config, metrics, ...cellOfRun(config) };
}

/** The cell of a run's configuration. */
export function cellOfRun(config: RunConfig): Cell {
  const { model, method, data } = config;
  const defaults = Object.hasOwn(methods, method.name) ? methods[method.name].defaults : {};
  const bits = (key: "weightBits" | "activationBits"): number | undefined => {
    const value = method.options[key] ?? defaults[key];
    return typeof value === "number" ? value : undefined;
  };
  const [weightBits, activationBits] = [bits("weightBits"), bits("activationBits")];
  const named = dataSetNamed(data.name)?.published?.dataset;
  const part = partText(config);
  const whole = part === undefined ? named : undefined;
  // A run with bits of single layers, or with a method of the user's, is in no published cell.
  const published =
    whole === undefined ||
    weightBits === undefined ||
    activationBits === undefined ||
    method.options.layers !== undefined ||
    method.options.file !== undefined
      ? undefined
      : publishedRow({ dataset: whole, model: model.name, method: method.name, weightBits, activationBits });
  const dataset = whole ?? part ?? data.name;
  const partOf = whole === undefined ? named : undefined;
  return { dataset, partOf, model: model.name, method: method.name, weightBits, activationBits, published };
}

/** What a run's data is called that is a part of a published data set; undefined for all of that, and for other data. */
function partText({ model, data, images }: RunConfig): string | undefined {
  const { published, counts } = dataSetNamed(data.name) ?? {};
  if (published === undefined || published.checksum === data.checksum) return undefined;
  const { dataset, classes = 0, side = 0 } = published;
  if (classes === 0 || counts === undefined) return data.name;
  const isWhole = model.classes === classes && images?.train === counts[0] && images.test === counts[1];
  const [height, width] = model.input;
  const shown =
    Math.min(height, width) >= side ? "" : ` at ${height === width ? height : `${height}x${width}`} pixels`;
  if (isWhole) return shown === "" ? undefined : dataset + shown;
  return `${model.classes < classes ? `${model.classes} classes` : "a part"} of ${dataset}${shown}`;
}
