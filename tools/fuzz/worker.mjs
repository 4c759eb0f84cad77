/**
 * Runs the cases of one target. `progress` tells the parent which case is at work, and how
 * many reads were accepted and refused; it ends this thread if a case hangs.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { minimise, signatureOf } from "./minimise.mjs";
import { Misbehaviour, outcomes } from "./outcome.mjs";
import { randomOf } from "./random.mjs";

/** What a case may allocate beside a multiple of its files' size. */
const freeBytes = 2 ** 26;

const { name, seed, first, cases, until, folder, kept, progress, only, replay } = workerData;
const { prepare } = await import(`./targets/${name}.mjs`);
mkdirSync(folder, { recursive: true });
const { make, check } = await prepare(folder);
parentPort.postMessage({ ready: true });

async function checkAll(files) {
  const size = Object.values(files).reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  const before = process.memoryUsage().arrayBuffers;
  await check(files);
  const grown = process.memoryUsage().arrayBuffers - before;
  if (grown > freeBytes + 32 * size) {
    throw new Misbehaviour(`${Math.round(grown / 2 ** 20)} MiB of memory for ${size} bytes of files`);
  }
}

/** Keeps a case's files in a folder of its own. */
function keep(files, number) {
  const path = join(kept, `${name}-${seed}-${number}`);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) {
    if (bytes === null) mkdirSync(join(path, file));
    else writeFileSync(join(path, file), bytes);
  }
  return path;
}

const describe = (error) => (error instanceof Misbehaviour ? error.message : String(error?.stack ?? error));

const failed = new Set();
async function run(files, number) {
  const { accepted, refused } = outcomes;
  try {
    await checkAll(files);
  } catch (error) {
    const signature = signatureOf(error);
    const path = failed.has(signature) ? undefined : keep(await minimise(files, checkAll, signature), number);
    failed.add(signature);
    parentPort.postMessage({ number, signature, message: describe(error), path });
  }
  Atomics.add(progress, 1, outcomes.accepted - accepted);
  Atomics.add(progress, 2, outcomes.refused - refused);
}

if (replay !== undefined) {
  const entries = readdirSync(replay, { withFileTypes: true });
  const content = (entry) => (entry.isDirectory() ? null : readFileSync(join(replay, entry.name)));
  const files = Object.fromEntries(entries.map((entry) => [entry.name, content(entry)]));
  await run(files, 0);
} else if (only !== undefined) {
  parentPort.postMessage({ kept: keep(make(randomOf(`${seed}/${name}/${only}`), only), only) });
} else {
  let number = first;
  for (; number < cases && Date.now() < until; number++) {
    Atomics.store(progress, 0, number);
    await run(make(randomOf(`${seed}/${name}/${number}`), number), number);
  }
  parentPort.postMessage({ done: number });
}
