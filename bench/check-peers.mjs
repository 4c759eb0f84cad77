/**
 * `node bench/check-peers.mjs [NETWORK [METHOD]]`: whether the peers compute our networks. Both sides start from
 * our initial weights, as the method constrains them; the parameters' number and names must agree, and the
 * losses of an evaluation and of two training steps, up to what changes of the images by a hundred-thousandth make the
 * peer's own, in double, differ by (much where signs are taken, layer after layer). Where a network drops out at random,
 * the losses of training cannot agree. Exit code 1 if anything differs.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseExecutor, describe, initialise } from "../dist/index.js";
import { runPeer } from "./common/processes.mjs";
import { makeStep, methods as makeMethod, modelOf } from "./ours/setup.mjs";

const batchSize = 16;
/** Of running means, and half that of shifts; check.py says why. */
const offset = 0.0123;
const dropsOut = (network, method) =>
  (network === "vgg16" && (method === "twn" || method === "ttq")) ||
  (network === "alexnet" && method === "baseline");
/** Networks for ImageNet see smaller images here, and fewer classes. */
const images = { alexnet: { side: 67, classes: 10 }, resnet18: { side: 64, classes: 10 } };
/**
 * What cannot be compared: orders of AlexNet's blocks that the peer lacks; and its DoReFa-Net, which takes the maximum of
 * sums of codes, where the peer's rounding decides among those that are equal.
 */
const lacks = (network, method) => network === "alexnet" && ["qnn", "twn", "ttq", "dorefa"].includes(method);

async function check(network, method) {
  const { executor } = chooseExecutor({ threads: 1 });
  const { side = 32, classes = 10 } = images[network] ?? {};
  const options = { network, method, batchSize, executor, side, classes };
  const { run, start } = makeStep(options);
  const parameters = await start((name) => (name.endsWith(".shift") ? 2 * offset : 0));
  const folder = mkdtempSync(join(tmpdir(), "fewbit-peers-"));
  const shapes = Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
  writeFileSync(
    join(folder, "weights.json"),
    JSON.stringify({ network, method, batchSize, side, classes, shapes }),
  );
  const values = Object.values(parameters).map(({ data }) => Buffer.from(new Float32Array(data).buffer));
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(values));
  const theirs = await runPeer("check.py", [folder]);
  rmSync(folder, { recursive: true });

  const { statistics: specs } = describe(modelOf(options), makeMethod[method]());
  const statistics = initialise(specs, 1);
  for (const [name, { data }] of Object.entries(statistics)) if (name.endsWith(".mean")) data.fill(offset);
  const evaluated = await makeStep({ ...options, evaluate: true, parameters, statistics }).run();
  const losses = [lossOf(evaluated)];
  if (!dropsOut(network, method)) losses.push(lossOf(await run()), lossOf(await run()));

  const ranges = losses.map((loss, i) => {
    const others = theirs.runs.map((values) => values[i]);
    const [low, high] = [Math.min(...others), Math.max(...others)];
    const allowed = 2 * (high - low) + 2e-5 * Math.abs(high);
    return { loss, low, high, inside: loss >= low - allowed && loss <= high + allowed };
  });
  const count = values.reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
  const same = ranges.every(({ inside }) => inside) && count === theirs.parameters;
  const shown = (value) => value.toPrecision(7);
  const text = ranges
    .map(({ loss, low, high }) => `${shown(loss)} (${shown(low)} to ${shown(high)})`)
    .join(", ");
  console.log(`${same ? "same" : "DIFFERENT"}: ${network} ${method}: ${count} parameters, losses ${text}`);
  return same;
}

const lossOf = ({ loss }) => (typeof loss === "number" ? loss : loss.data[0]);

const [onlyNetwork, onlyMethod] = process.argv.slice(2);
const names = { network: onlyNetwork ? [onlyNetwork] : ["resnet20", "vgg16", "alexnet", "resnet18"] };
names.method = onlyMethod ? [onlyMethod] : Object.keys(makeMethod);
for (const network of names.network) {
  for (const method of names.method) {
    if (!lacks(network, method) && !(await check(network, method))) process.exitCode = 1;
  }
}
