/** The command line as users meet it: a process, in a folder of its own, with a small part of MNIST. */
import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, lstatSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

export const program = path("bin/fewbit.js");

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Manner {
  readonly env?: Readonly<Record<string, string>>;
  /** Asked every few milliseconds with stdout so far; at the first yes the process gets the signal. */
  readonly interruptWhen?: (stdout: string) => boolean;
  /** Default: SIGINT. */
  readonly signal?: NodeJS.Signals;
}

/** What is set around the tests must not decide what the process does. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(FEWBIT_.*|NO_COLOR|FORCE_COLOR|CI|TERM)$/.test(name)),
);

/** Runs a command in a folder until it ends. */
export function execute(
  command: string,
  args: readonly string[],
  cwd: string,
  { env = {}, interruptWhen, signal = "SIGINT" }: Manner = {},
): Promise<Result> {
  const { child, ended, stdout } = begin(command, args, cwd, env);
  const watch = setInterval(() => {
    if (interruptWhen?.(stdout()) !== true) return;
    clearInterval(watch);
    child.kill(signal);
  }, 2);
  return ended.finally(() => clearInterval(watch));
}

/** Starts a command. One that ends by a signal which no test gave it is an error, with its last lines. */
function begin(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Running & { stdout(): string } {
  const child = spawn(command, args, {
    cwd,
    env: { ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr, text] = ["", "", ""];
  child.stdout.setEncoding("utf8").on("data", (part: string) => ((stdout += part), (text += part)));
  child.stderr.setEncoding("utf8").on("data", (part: string) => ((stderr += part), (text += part)));
  const ended = new Promise<Result>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (signal === null || child.killed) return resolve({ code, stdout, stderr });
      const lines = text.trimEnd().split("\n").slice(-20);
      const what = [basename(command), ...args].join(" ");
      reject(new Error([`${what} was ended by ${signal}; its last lines:`, ...lines].join("\n")));
    });
  });
  return { child, ended, text: () => text, stdout: () => stdout };
}

/** Runs `fewbit` in a folder; words are given as one text unless one of them holds a space. */
export function fewbit(cwd: string, args: string | readonly string[], manner?: Manner): Promise<Result> {
  const words = typeof args === "string" ? args.split(" ").filter((word) => word !== "") : args;
  return execute(process.execPath, [program, ...words], cwd, manner);
}

/** A `fewbit` that is at work. */
export interface Running {
  readonly child: ChildProcess;
  /** What came on stdout and stderr so far. */
  text(): string;
  readonly ended: Promise<Result>;
}

/** Starts `fewbit` in a folder. */
export const start = (cwd: string, args: string, env: Readonly<Record<string, string>> = {}): Running =>
  begin(process.execPath, [program, ...args.split(" ")], cwd, env);

/** Waits until something is so, as long as the test may take. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(10);
}

/** Makes `dist/` and the kernels of the present sources; `npm test` has done so before. */
export function build(): void {
  execFileSync(process.execPath, [path("scripts/setup.mjs"), "build"], { stdio: "inherit" });
}

/** A new folder with 256 training and 64 test images of the shipped digits, as MNIST's files, in `mnist`. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-cli-"));
  mkdirSync(join(folder, "mnist"));
  for (const [set, canonical, count] of [
    ["train", "train", 256],
    ["test", "t10k", 64],
  ] as const) {
    for (const [kind, dimensions, header, size] of [
      ["images", 3, 16, 784],
      ["labels", 1, 8, 1],
    ] as const) {
      const all = gunzipSync(readFileSync(path(`data/digits/${set}-${kind}.idx${dimensions}.gz`)));
      const some = Buffer.from(all.subarray(0, header + count * size));
      some.writeUInt32BE(count, 4);
      writeFileSync(join(folder, "mnist", `${canonical}-${kind}-idx${dimensions}-ubyte.gz`), gzipSync(some));
    }
  }
  return folder;
}

/** Damages a file: changes its bytes, or gives others. */
export function rewrite(file: string, change: (bytes: Buffer) => Buffer | void): void {
  const bytes = readFileSync(file);
  writeFileSync(file, change(bytes) ?? bytes);
}

/** Trains on `mnist` in 4 steps per epoch. */
export const training = "train lenet5 --data mnist --data-dir mnist --batch-size 64";

export const dorefa = "--method dorefa --weight-bits 1 --activation-bits 2";

/**
 * Every file below a folder with its size and time of change, and every folder. Not a folder's time:
 * a run that is looked at is locked meanwhile.
 */
export function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const entry = lstatSync(join(folder, name));
      return entry.isDirectory() ? `${name}/` : `${name} ${entry.size} ${entry.mtimeMs}`;
    });
}

/** A command must end with exit code 2 and this message alone, and leave the folder as it was. */
export async function expectRefusal(
  folder: string,
  args: string | readonly string[],
  message: string,
  manner?: Manner,
): Promise<void> {
  const before = listing(folder);
  expect(await fewbit(folder, args, manner)).toEqual({ code: 2, stdout: "", stderr: `fewbit: ${message}\n` });
  expect(listing(folder)).toEqual(before);
}

/** SHA-256 of what a run has learned. */
export function digests(run: string): Record<string, string> {
  return Object.fromEntries(
    ["checkpoint.safetensors", "best.safetensors"].map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(run, name)))
        .digest("hex"),
    ]),
  );
}
