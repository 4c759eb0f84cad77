/**
 * `npm run bench -- depthwise [--threads 2] [--rounds 5] [--only "112"]`: the depthwise convolutions of MobileNet at 224 pixels,
 * 16 images, and their two gradients: the bytes that each must read and write at least, per second, as part of what
 * copying memory reaches in the same run; medians over rounds. `--only` takes a part of a layer's name.
 */
import { cpus } from "node:os";
import { createNativeExecutor, measurePeak } from "../dist/runtime/native.js";
import { shapesOf, windowOps } from "../dist/runtime/instructions.js";
import { median } from "./common/processes.mjs";

const images = 16;
/** Side of the input, channels, stride. */
const layers = [
  [112, 32, 1],
  [112, 64, 2],
  [56, 128, 1],
  [56, 128, 2],
  [28, 256, 1],
  [28, 256, 2],
  [14, 512, 1],
  [14, 512, 2],
  [7, 1024, 1],
];
const ops = ["depthwise", "depthwiseInputGradient", "depthwiseFilterGradient"];
const sizeOf = (shape) => shape.reduce((n, extent) => n * extent, 1);

/** One instruction on memory of its own; `seconds` runs it once. */
function prepare(executor, op, [side, channels, stride]) {
  const out = Math.floor((side - 1) / stride) + 1;
  const geometry = {
    images,
    height: side,
    width: side,
    channels,
    kernel: [3, 3],
    stride: [stride, stride],
    padding: [1, 1],
    outHeight: out,
    outWidth: out,
    outChannels: channels,
  };
  const shapes = shapesOf(geometry);
  const { operands, result } = windowOps[op];
  let offset = 0;
  const inputs = operands.map((role) => {
    const operand = { segment: "inputs", offset, storage: "f32", shape: shapes[role] };
    offset += Math.ceil((4 * sizeOf(shapes[role])) / 64) * 64;
    return operand;
  });
  const to = { segment: "outputs", offset: 0, storage: "f32", shape: shapes[result] };
  const bytes = { constants: 0, state: 0, inputs: offset, outputs: 4 * sizeOf(to.shape), scratch: 0 };
  const instruction = { kind: "window", op, geometry, inputs, out: to };
  const program = { bytes, instructions: [instruction], names: {}, constants: new Uint8Array(0) };
  const memory = {
    state: executor.allocate(0),
    inputs: executor.allocate(bytes.inputs),
    outputs: executor.allocate(bytes.outputs),
  };
  executor.write(
    memory.inputs,
    0,
    Float32Array.from({ length: bytes.inputs / 4 }, (_, i) => (i % 17) / 8 - 1),
  );
  const loaded = executor.load(program);
  const nanoseconds = new Float64Array(1);
  return {
    name: `${op}, ${side}x${side}, ${channels} channels, stride ${stride}`,
    moved: 4 * (operands.reduce((sum, role) => sum + sizeOf(shapes[role]), 0) + sizeOf(to.shape)),
    async seconds() {
      nanoseconds[0] = 0;
      await loaded.run(memory, nanoseconds);
      return nanoseconds[0] / 1e9;
    },
  };
}

export async function benchDepthwise({ threads, rounds, only = "", json }) {
  const executor = createNativeExecutor({ threads });
  const all = ops.flatMap((op) => layers.map((layer) => prepare(executor, op, layer)));
  const chosen = all.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    console.error(`--only must be a part of a layer's name, such as "112x112", got "${only}"`);
    process.exitCode = 2;
    return;
  }
  const peaks = [];
  const times = new Map(chosen.map(({ name }) => [name, []]));
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    const { bytes } = measurePeak(threads);
    if (round > 0) peaks.push(bytes);
    for (const { name, seconds } of chosen) {
      const repeated = [await seconds(), await seconds(), await seconds()];
      if (round > 0) times.get(name).push(median(repeated));
    }
  }
  const peak = median(peaks);
  if (!json) {
    console.log(
      `${cpus()[0].model}, ${executor.instructionSet}, ${threads} threads, copying ${(peak / 1e9).toFixed(1)} GB/s`,
    );
  }
  for (const { name, moved } of chosen) {
    const rate = moved / median(times.get(name));
    const row = { name, gigabytesPerSecond: rate / 1e9, share: rate / peak };
    console.log(
      json
        ? JSON.stringify(row)
        : `  ${name.padEnd(62)} ${(rate / 1e9).toFixed(1)} GB/s, ${Math.round(100 * row.share)}%`,
    );
  }
}
