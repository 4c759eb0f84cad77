/** What has been measured and counted of steps on this machine, kept in the cache for a day: a second look is quick. */
import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { cacheDirectory, writeWhole } from "../data/cache.js";
import { largest, readText } from "../files/read.js";
import { packageVersion } from "../run-folder/index.js";
import type { Executor } from "../runtime/executor.js";

/** Milliseconds for which an entry counts: other work on the machine may have slowed what was measured. */
const longest = 24 * 3600 * 1000;

const entries = z.record(z.string(), z.object({ at: z.number(), value: z.unknown() }));
type Entries = z.output<typeof entries>;

/** Values by what they are of. A cache that cannot be read or written is none. */
export class StepCache {
  private readonly path: string | undefined;
  private readonly kept: Entries;
  private readonly machine: readonly unknown[];

  constructor({ name, instructionSet, threads }: Executor) {
    this.machine = [packageVersion(), cpus()[0]?.model, name, instructionSet, threads];
    this.path = attempt(() => join(cacheDirectory(), "steps.json"));
    this.kept = attempt(() => entries.parse(JSON.parse(readText(this.path!, largest.json)))) ?? {};
  }

  /** The value of a key, as it is kept or else as it is made. */
  async of<T>(key: readonly unknown[], schema: z.ZodType<T>, make: () => T | Promise<T>): Promise<T> {
    const hash = createHash("sha256")
      .update(JSON.stringify([this.machine, key]))
      .digest("hex")
      .slice(0, 32);
    const found = schema.safeParse(this.kept[hash]?.value);
    if (found.success && this.isFresh(hash)) return found.data;
    const value = await make();
    if (value !== undefined) this.kept[hash] = { at: Date.now(), value };
    return value;
  }

  /** Writes what is kept, without what is too old. */
  save(): void {
    const fresh = Object.entries(this.kept).filter(([hash]) => this.isFresh(hash));
    attempt(() => writeWhole(this.path!, Buffer.from(JSON.stringify(Object.fromEntries(fresh)))));
  }

  private isFresh(hash: string): boolean {
    if (!Object.hasOwn(this.kept, hash)) return false;
    const age = Date.now() - this.kept[hash].at;
    return age >= 0 && age < longest;
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
