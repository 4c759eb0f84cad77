/** The lock of a run's directory: only one process writes there, on any machine. */
import { closeSync, fstatSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "../errors.js";
import { largest, openRegular, readFile } from "../files/read.js";
import { whyUnread } from "../files/reasons.js";
import { createFile } from "../files/write.js";

export interface Lock {
  /** False once another process has taken the directory over, or somebody has removed the lock. */
  isHeld(): boolean;
  release(): void;
}

export const lockName = "lock";
/** How often the owner writes its lock again, and after how long without a write another machine may take it. */
const beatMilliseconds = 20_000;
const goneMilliseconds = 120_000;

/**
 * Takes a directory for this process. The lock is a file with the owner's process id and start time,
 * its machine, a word of its own and the queue that gave it the run, if one did. Taken over are: the
 * lock of a process of this machine that is gone; that of another machine that is no longer written,
 * since processes there cannot be asked for; and one given by `queue`, which has given the run to this
 * process now. Whoever comes back after that finds its lock not held. Throws `UserError` otherwise.
 */
export function lockDirectory(directory: string, queue = ""): Lock {
  const path = join(directory, lockName);
  const [id, started = "-"] = describeProcess(process.pid).split(" ");
  const mine = [id, started, machine(), randomUUID(), queue].join(" ");
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return hold(path, openSync(path, "wx"), mine);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = ownerIn(path);
    if (owner === undefined) continue; // released this moment
    refuseLiving(owner, path, directory, queue);
    removeStale(path, owner);
  }
  throw new UserError(`${path} cannot be taken; remove it if no training is at work there`, "directory");
}

function ownerIn(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    const reason = whyUnread(error);
    throw new UserError(
      `cannot read ${path}: ${reason}; remove it if no training is at work there`,
      "directory",
    );
  }
}

/** Removes the lock of a process that was killed after its run had ended, if there is one. */
export function releaseStale(directory: string): void {
  const path = join(directory, lockName);
  try {
    if (readIfThere(path) !== undefined) lockDirectory(directory).release();
  } catch {
    // Somebody is at work there, or it is not a lock: the run is complete in either case.
  }
}

/**
 * Whether another process trains in a directory, as `lockDirectory` sees it: by the clock of whoever holds the files,
 * for which a file is written there for a moment.
 */
export function isInUse(directory: string): boolean {
  const path = join(directory, lockName);
  return isTaken(path, () => millisecondsSinceBeat(path));
}

function isTaken(path: string, millisecondsSince: () => number): boolean {
  try {
    const owner = readIfThere(path);
    return owner !== undefined && isAtWork(ownerOf(owner), millisecondsSince);
  } catch {
    return false; // something that is no lock
  }
}

/** Watches a directory's lock without writing anything. */
export class LockWatch {
  private readonly path: string;
  /** When the lock was last written, by the clock of whoever holds the files, and when that was noticed, by this process's own. */
  private beat = { written: NaN, noticed: 0 };

  constructor(directory: string) {
    this.path = join(directory, lockName);
  }

  /** Like the function `isInUse`, but another machine's lock that was written again since the last look counts, whatever this machine's clock says. */
  isInUse(): boolean {
    return isTaken(this.path, () => this.millisecondsSinceBeat());
  }

  private millisecondsSinceBeat(): number {
    const { mtimeMs: written } = statSync(this.path);
    const isFirstLook = Number.isNaN(this.beat.written);
    if (isFirstLook) this.beat = { written, noticed: performance.now() - (Date.now() - written) };
    else if (written !== this.beat.written) this.beat = { written, noticed: performance.now() };
    return performance.now() - this.beat.noticed;
  }
}

/** Who wrote a lock: a process, when it started ("-" where the system did not tell), its machine, and the queue that gave it the run. */
interface Owner {
  readonly id: string;
  readonly started: string;
  readonly host: string;
  readonly givenBy: string;
}

function ownerOf(lock: string): Owner {
  const [id, started = "-", host = machine(), , givenBy = ""] = lock.split(" ");
  return { id, started, host, givenBy };
}

/** Whether a lock's owner is at work: a process of this machine that lives, or another's that has written its lock not long ago. */
function isAtWork({ id, started, host }: Owner, millisecondsSince: () => number): boolean {
  return host === machine() ? isLiving(id, started) : millisecondsSince() <= goneMilliseconds;
}

/** Whether a process of this machine lives; "-" where the system did not tell when it started. */
function isLiving(id: string, started: string): boolean {
  const living = describeProcess(Number.parseInt(id, 10));
  return living !== "" && living === (started === "-" ? id : `${id} ${started}`);
}

/** The name of this machine in locks: FEWBIT_HOST where the names of machines are not unique. */
export const machine = (): string => (process.env.FEWBIT_HOST ?? hostname()).replace(/\s+/g, "-");

function hold(path: string, file: number, mine: string): Lock {
  // Through the open file, which stays this process's own when another has put its lock in the place.
  const write = (): number => writeSync(file, mine, 0);
  try {
    write();
  } catch (error) {
    closeSync(file);
    rmSync(path, { force: true }); // a full disk
    throw error;
  }
  const beat = setInterval(() => {
    try {
      write();
    } catch {
      // The next beat may succeed; a lock that is lost is noticed before anything else is written.
    }
  }, beatMilliseconds).unref();
  const isHeld = (): boolean => {
    try {
      return readIfThere(path) === mine;
    } catch {
      return false; // something that is no lock
    }
  };
  let open = true;
  return {
    isHeld,
    release() {
      if (!open) return;
      open = false;
      clearInterval(beat);
      closeSync(file);
      if (isHeld()) rmSync(path, { force: true });
    },
  };
}

/** @throws UserError if a lock's owner is at work. */
function refuseLiving(content: string, path: string, directory: string, queue: string): void {
  const owner = ownerOf(content);
  const { id, host, givenBy } = owner;
  if (queue !== "" && givenBy === queue) return;
  if (!isAtWork(owner, () => millisecondsSinceBeat(path))) return;
  const here = host === machine();
  const where = here ? "" : ` on ${host}`;
  const wait = here ? "wait for it" : "wait for it (two minutes if that machine is gone)";
  throw new UserError(
    `${directory} is in use by process ${id}${where}, which trains there; ${wait} or choose another directory`,
    "directory",
    "inUse",
  );
}

/** Measured by the file system's clock: the time of a new file there. */
function millisecondsSinceBeat(path: string): number {
  const probe = besides(path);
  try {
    createFile(probe, "");
    // Opened, since a file's times are then refreshed on a network file system.
    const file = openRegular(path);
    try {
      return statSync(probe).mtimeMs - fstatSync(file).mtimeMs;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0; // released this moment
    throw error;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** An unpredictable name, so that nobody can put a file there in advance. */
const besides = (path: string): string => `${path}.${randomBytes(6).toString("hex")}.tmp`;

/** Removes a lock unless another process has replaced it meanwhile: renamed first, since a rename has one winner. */
function removeStale(path: string, content: string): void {
  const aside = besides(path);
  try {
    renameSync(path, aside);
  } catch {
    return; // another process was faster
  }
  if (readIfThere(aside) === content) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

/**
 * The process id, and where the system tells it, when that process started (ids are used again, above
 * all in containers). Empty for a process that does not exist.
 */
function describeProcess(id: number): string {
  if (!Number.isInteger(id) || id <= 0) return "";
  try {
    process.kill(id, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return "";
  }
  // Field 22 of /proc/ID/stat; the second, in parentheses, may hold spaces.
  const stat = readIfThere(`/proc/${id}/stat`);
  const started = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return started === undefined ? `${id}` : `${id} ${started}`;
}

/** A file's text; undefined if there is none (or, under /proc, if the process has just ended). */
function readIfThere(path: string): string | undefined {
  try {
    return readFile(path, largest.lock).toString("utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH", "ESTALE"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
