/** Finds the runs under folders and says which cell of the published table each stands in. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { dataSetNamed } from "../data/index.js";
import { firstLineOf, UserError } from "../errors.js";
import { leadsOut } from "../files/links.js";
import { whyUnread } from "../files/reasons.js";
import type { PublishedRow } from "../published/index.js";
import { publishedRow } from "../published/index.js";
import { methods } from "../quantization/index.js";
import type { EpochMetrics } from "../training/index.js";
import type { RunConfig } from "../run-folder/index.js";
import { fileNames, readConfig, readMetrics } from "../run-folder/index.js";

/** What a run was trained on and how, in the words of the published table where it knows them. */
export interface Cell {
  /** "MNIST"; as the run calls it where the table has no such data set. The shipped parts are not the whole sets. */
  readonly dataset: string;
  /** "resnet20". */
  readonly model: string;
  /** "dorefa". */
  readonly method: string;
  /** Undefined for a method of the user's that does not tell. */
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
  /** Epochs that have ended; none before the first. */
  readonly metrics: readonly EpochMetrics[];
}

export interface Collection {
  /** In the order of their paths. */
  readonly runs: readonly FoundRun[];
  /** A line for each folder that looks like a run's and cannot be read. */
  readonly warnings: readonly string[];
}

/** How deep runs may lie below a folder. */
export const runDepth = 4;

/**
 * Finds runs: the folders themselves and what lies in them. A run that is damaged or of another
 * program is left out with a warning. @throws UserError for a folder that is not there.
 */
export function collectRuns(folders: readonly string[]): Collection {
  const runs = new Map<string, FoundRun>();
  const warnings: string[] = [];
  for (const folder of folders) {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      throw new UserError(`${folder} is not a folder; give run folders, or folders that hold some`);
    }
    const found = runFolders(folder, runDepth);
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
  return { name, directory, config, metrics, ...cellOf(config) };
}

/** What lies below a folder. */
export interface FoundFolders {
  /** With a `config.json`, in the order of their paths; what lies below one is its own. */
  readonly runs: string[];
  /** That lead to runs, or to folders of runs, outside the folder. They are not followed: no run is read there. */
  readonly links: string[];
  /** Why folders could not be looked into. */
  readonly unread: string[];
}

function runFolders(folder: string, levels: number): FoundFolders {
  const found: FoundFolders = { runs: [], links: [], unread: [] };
  const look = (directory: string, depth: number): void => {
    if (existsSync(join(directory, fileNames.config))) return void found.runs.push(directory);
    if (depth === 0) return;
    let entries;
    try {
      entries = readdirSync(directory, { withFileTypes: true });
    } catch (error) {
      return void found.unread.push(unreadText(directory, error));
    }
    for (const entry of entries.sort(byName)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) look(path, depth - 1);
      else if (entry.isSymbolicLink() && leadsToRuns(path, folder)) found.links.push(path);
    }
  };
  look(folder, levels);
  return found;
}

/** Whether a link leads to a run, or to a folder that holds one, outside of a folder. */
export function leadsToRuns(link: string, outside: string): boolean {
  const isRun = (path: string): boolean => existsSync(join(path, fileNames.config));
  try {
    if (!leadsOut(link, outside)) return false;
    const target = realpathSync(link);
    return isRun(target) || readdirSync(target).some((name) => isRun(join(target, name)));
  } catch {
    return false; // to nowhere, to a file, or to what is not ours to read
  }
}

/** Orders the entries of a folder. */
export const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : 1;

/** A line for a folder that cannot be looked into. */
export const unreadText = (folder: string, error: unknown): string =>
  `left out: cannot read ${folder}: ${whyUnread(error)}`;

/** A line where there are links to runs. */
export function linkWarnings(links: readonly string[]): string[] {
  if (links.length === 0) return [];
  const what =
    links.length === 1
      ? `${links[0]}, which is a link`
      : `${links.length} links to runs, such as ${links[0]}`;
  return [`left out: ${what}; links are not followed, so give the folder that it leads to`];
}

/** The cell of a run's configuration. */
export function cellOf({ model, method, data }: RunConfig): Cell {
  const defaults = Object.hasOwn(methods, method.name) ? methods[method.name].defaults : {};
  const bits = (key: "weightBits" | "activationBits"): number | undefined => {
    const value = method.options[key] ?? defaults[key];
    return typeof value === "number" ? value : undefined;
  };
  const [weightBits, activationBits] = [bits("weightBits"), bits("activationBits")];
  const named = dataSetNamed(data.name)?.published;
  const isWhole = named?.checksum !== undefined && named.checksum === data.checksum;
  const whole = isWhole ? named.dataset : undefined;
  // Where layers have bits of their own it is another cell than any published, and so with a method of the user's.
  const published =
    whole === undefined ||
    weightBits === undefined ||
    activationBits === undefined ||
    method.options.layers !== undefined ||
    method.options.file !== undefined
      ? undefined
      : publishedRow({ dataset: whole, model: model.name, method: method.name, weightBits, activationBits });
  const dataset = whole ?? data.name;
  return { dataset, model: model.name, method: method.name, weightBits, activationBits, published };
}
