/**
 * Watches a folder of runs by looking at it again and again: the systems' notices of changes do not
 * reach shared file systems. A look costs a few questions a run, and reads only what was appended.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, relative } from "node:path";
import { firstLineOf, printable, quoted, UserError } from "../errors.js";
import { whyUnread } from "../files/reasons.js";
import type { Collection, FoundFolders } from "../experiments/index.js";
import { findRuns, linkWarnings } from "../experiments/index.js";
import type { RunUpdate, Snapshot } from "./api.js";
import { Feed } from "./feed.js";
import { WatchedRun } from "./watched-run.js";

/** Runs looked at side by side. */
const lanes = 16;
/** Warnings that the page lists; there may be a thousand foreign folders. */
const mostWarnings = 50;

export class Watch {
  readonly feed = new Feed();
  private readonly runs = new Map<string, WatchedRun>();
  /** By real path, also those that cannot be read. */
  private readonly known = new Map<string, WatchedRun>();
  private warnings: readonly string[] = [];
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  /** @throws UserError unless the folder is there. */
  constructor(readonly folder: string) {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      throw new UserError(
        `${folder} is not a folder; give one that holds runs, or train one: fewbit train lenet5 --out ${quoted(`${folder}/first`)}`,
      );
    }
    try {
      readdirSync(folder);
    } catch (error) {
      throw new UserError(`cannot read ${folder}: ${whyUnread(error)}; give a folder that you may read`);
    }
  }

  /** Looks again and again, at least a second apart, and with four times the rest that a look takes. */
  async start(): Promise<void> {
    const begun = performance.now();
    await this.look();
    const rest = Math.max(1000, 4 * (performance.now() - begun));
    if (!this.ended) this.timer = setTimeout(() => void this.start(), rest);
  }

  stop(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  /** One look at everything, whose changes are published. */
  async look(): Promise<void> {
    const { runs: found, links, unread } = await this.find();
    const warnings = [...unread, ...linkWarnings(links)].map(printable);
    const changed: RunUpdate[] = [];
    const present = new Set<string>();
    const refresh = async (run: WatchedRun): Promise<void> => {
      try {
        const update = await run.refresh();
        present.add(run.id);
        if (!this.runs.has(run.id)) changed.push(run.whole());
        else if (update !== undefined) changed.push(update);
        if (run.reason !== undefined) warnings.push(run.reason);
      } catch (error) {
        warnings.push(printable(`left out: ${firstLineOf(error)}`));
      }
    };
    const queue = found.values();
    const lane = async (): Promise<void> => {
      for (const run of queue) await refresh(run);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const removed = [...this.runs.keys()].filter((id) => !present.has(id));
    this.runs.clear(); // in the order of their paths, whichever was read first
    for (const run of found) if (present.has(run.id)) this.runs.set(run.id, run);
    const before = this.warnings;
    this.warnings = listed(warnings.sort());
    const warned = before.join("\n") !== this.warnings.join("\n");
    if (changed.length + removed.length === 0 && !warned) return;
    this.feed.publish({ runs: changed, removed, ...(warned ? { warnings: this.warnings } : {}) });
  }

  run(id: string): WatchedRun | undefined {
    return this.runs.get(id);
  }

  snapshot(stoppable: boolean): Snapshot {
    return { ...this.head(), stoppable, runs: [...this.runs.values()].map((run) => run.whole()) };
  }

  /** `snapshot` as JSON. */
  snapshotText(stoppable: boolean): string {
    const runs = [...this.runs.values()].map((run) => run.wholeText());
    return `${JSON.stringify({ ...this.head(), stoppable }).slice(0, -1)},"runs":[${runs.join(",")}]}`;
  }

  private head(): Pick<Snapshot, "at" | "folder" | "warnings"> {
    return { at: this.feed.position, folder: printable(this.folder), warnings: this.warnings };
  }

  /** The runs as the report takes them. */
  collection(): Collection {
    return { runs: [...this.runs.values()].map((run) => run.found()), warnings: this.warnings };
  }

  /** The runs of before, with all that is known of them, and the new ones. */
  private async find(): Promise<Omit<FoundFolders, "runs"> & { readonly runs: readonly WatchedRun[] }> {
    const found = new Map<string, WatchedRun>();
    const { runs, ...others } = await findRuns(this.folder);
    for (const directory of runs) {
      const path = await realpath(directory).catch(() => undefined);
      if (path === undefined) continue; // gone this moment
      const name = relative(this.folder, directory) || basename(path);
      found.set(path, this.known.get(path) ?? new WatchedRun(name, directory, path));
    }
    this.known.clear();
    for (const [path, run] of found) this.known.set(path, run);
    return { runs: [...found.values()], ...others };
  }
}

function listed(warnings: readonly string[]): readonly string[] {
  if (warnings.length <= mostWarnings) return warnings;
  return [...warnings.slice(0, mostWarnings), `and ${warnings.length - mostWarnings} more`];
}
