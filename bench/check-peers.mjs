/**
 * `node bench/check-peers.mjs [NETWORK [METHOD]]`: whether the peers compute our networks. Both sides start from
 * our initial weights, as the method constrains them; the parameters' number and names must agree, and the
 * losses of an evaluation and of two training steps up to rounding. Where a network drops out at random,
 * those of training cannot. Exit code 1 if anything differs.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseExecutor } from "../dist/index.js";
import { runPeer } from "./common/processes.mjs";
import { makeStep, methods } from "./ours/setup.mjs";

const batchSize = 16;
/** Where values are rounded or signs taken, float32's rounding moves some across a boundary. */
const tolerance = { baseline: 1e-4, dorefa: 0.02, xnor: 0.02, qnn: 0.02, twn: 1e-3, ttq: 1e-3 };
const dropsOut = (network, method) => network === "vgg16" && (method === "twn" || method === "ttq");

async function check(network, method) {
  const { executor } = chooseExecutor({ threads: 1 });
  const options = { network, method, batchSize, executor };
  const { run, start } = makeStep(options);
  const parameters = await start();
  const folder = mkdtempSync(join(tmpdir(), "fewbit-peers-"));
  const shapes = Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
  writeFileSync(join(folder, "weights.json"), JSON.stringify({ network, method, batchSize, shapes }));
  const values = Object.values(parameters).map(({ data }) => Buffer.from(new Float32Array(data).buffer));
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(values));
  const theirs = await runPeer("check.py", [folder]);
  rmSync(folder, { recursive: true });

  const evaluated = await makeStep({ ...options, evaluate: true, parameters }).run();
  const losses = [["evaluation", lossOf(evaluated), theirs.evaluation]];
  if (!dropsOut(network, method)) {
    for (const [i, loss] of theirs.training.entries()) {
      losses.push([`step ${i + 1}`, lossOf(await run()), loss]);
    }
  }
  const count = values.reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
  const close = losses.every(([, a, b]) => Math.abs(a - b) <= tolerance[method] * Math.abs(b));
  const same = close && count === theirs.parameters;
  const text = losses.map(([name, a, b]) => `${name} ${a.toPrecision(7)} and ${b.toPrecision(7)}`).join(", ");
  console.log(`${same ? "same" : "DIFFERENT"}: ${network} ${method}: ${count} parameters, losses: ${text}`);
  return same;
}

const lossOf = ({ loss }) => (typeof loss === "number" ? loss : loss.data[0]);

const [onlyNetwork, onlyMethod] = process.argv.slice(2);
const names = { network: onlyNetwork ? [onlyNetwork] : ["resnet20", "vgg16"] };
names.method = onlyMethod ? [onlyMethod] : Object.keys(methods);
for (const network of names.network) {
  for (const method of names.method) {
    if (!(await check(network, method))) process.exitCode = 1;
  }
}
