/**
 * The process that `kill.test.ts` kills: trains in the directory it is given, or goes on there, and says how far it is.
 * With a folder of pictures it trains on these, decoded when a batch needs them, with as many checkpoints in the middle of
 * its epochs as can be written; and if it is asked to, it kills itself after one.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readTensorHeader } from "../run-folder/safetensors.js";
import { base, streamed } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const [directory, pictures, dies] = process.argv.slice(2);
const resume = existsSync(join(directory, "config.json"));

/** Epochs, and steps of the next one, that the checkpoint has. */
function kept(): readonly [epochs: number, steps: number] {
  const { epoch, step } = readTensorHeader(join(directory, "checkpoint.safetensors")).metadata;
  return [Number(epoch), Number(step)];
}

console.log("begin");
const before = resume ? kept() : [0, 0];
let isFirst = true;
await train({
  ...(pictures === undefined
    ? { ...base, epochs: 40 }
    : { ...(await streamed(pictures)), checkpointEvery: 1e-9 }),
  directory,
  resume,
  onProgress({ phase, epoch, step }) {
    if (phase === "epoch") console.log(`epoch ${epoch}`);
    if (isFirst) console.log(`${phase} ${epoch - 1}.${step - 1} after ${before.join(".")}`);
    isFirst = false;
    if (dies !== "dies" || phase === "epoch") return;
    const [epochs, steps] = kept();
    const isNew = epochs > before[0] || steps > before[1];
    if (isNew && steps > 0) process.kill(process.pid, "SIGKILL");
  },
});
