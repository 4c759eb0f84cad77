/**
 * `verify` and the executors: what verify accepts runs on the reference executor, which touches nothing outside its segments,
 * then on the native kernels, by machine code and interpreted, with 1 and 3 threads, and in WebAssembly: they write nothing
 * behind a segment, and the native ones give the same bits. With FEWBIT_DUMP=FOLDER these programs are kept for
 * scripts/sanitize.mjs, which watches each access.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guarded } from "./guarded.mjs";
import { compile } from "../../../dist/compiler/compile.js";
import { createState } from "../../../dist/compiler/state.js";
import * as graph from "../../../dist/graph/index.js";
import { describe, initialise, network } from "../../../dist/nn/index.js";
import { adam } from "../../../dist/optim/index.js";
import { baseline, dorefa, qnn, xnor } from "../../../dist/quantization/index.js";
import { UserError } from "../../../dist/errors.js";
import { paddedSize } from "../../../dist/graph/limits.js";
import { createNativeExecutor, nativeProblem } from "../../../dist/runtime/native.js";
import { createReferenceExecutor } from "../../../dist/runtime/reference.js";
import { createWasmExecutor } from "../../../dist/runtime/wasm.js";
import { loadWasm } from "../../../dist/runtime/wasm-file.js";
import { compileStep } from "../../../dist/training/step.js";
import { storageBytes } from "../../../dist/runtime/program.js";
import { verify } from "../../../dist/runtime/verify.js";
import { Misbehaviour, must, outcomeOf } from "../outcome.mjs";

/** More than this is accepted, but not run. */
const mostOperations = 100_000;
const mostBytes = 2 ** 22;

const numbers = [
  -1,
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  0.5,
  64,
  2 ** 28,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 51,
  2 ** 52,
  2 ** 53,
  1e300,
  1e999,
  "NaN",
];
const texts = [
  "",
  "copy",
  "sum",
  "max",
  "none",
  "state",
  "scratch",
  "i32",
  "select",
  "windowMaxGradient",
  "toString",
  "__proto__",
];

export function prepare() {
  const originals = programs().map(toJson);
  return {
    make: (random) => ({ "program.json": Buffer.from(mutate(random.pick(originals), random, originals)) }),
    async check({ "program.json": bytes }) {
      const program = fromJson(bytes.toString());
      if ((await outcomeOf(() => (verify(program), true), Error)) === undefined) return;
      if (Object.values(program.bytes).some((size) => size > mostBytes)) return;
      if (program.instructions.reduce((sum, instruction) => sum + workOf(instruction), 0) > mostOperations)
        return;
      await guarded(async () => {
        const executor = createReferenceExecutor();
        const [state, inputs, outputs] = ["state", "inputs", "outputs"].map((name) =>
          executor.allocate(program.bytes[name]),
        );
        for (const { segment, offset, storage, shape } of Object.values(program.names)) {
          const elements = shape.reduce((n, extent) => n * extent, 1);
          must(
            offset + elements * storageBytes[storage] <= program.bytes[segment],
            "a name outside its segment",
          );
        }
        // Codes outside of their lattice are refused here; the kernels look at none, and must stay in memory all the same.
        await executor
          .load(program)
          .run({ state, inputs, outputs })
          .catch((error) => {
            if (!(error instanceof UserError)) throw error;
          });
      });
      // What ends this process by a signal is left there: --replay build/fuzz/program-signal.
      mkdirSync(running, { recursive: true });
      writeFileSync(join(running, "program.json"), bytes);
      await runOnKernels(program);
      rmSync(running, { recursive: true });
    },
  };
}

const running = fileURLToPath(new URL("../../../build/fuzz/program-signal", import.meta.url));

const kernels = () => [
  ...(nativeProblem() === undefined
    ? [
        createNativeExecutor({ threads: 1, interpret: true }),
        createNativeExecutor({ threads: 3, interpret: false }),
      ]
    : []),
  createWasmExecutor(loadWasm().module),
];

/** What follows a segment, and is to stay. */
const [guardBytes, guardByte] = [4096, 0xa5];

async function runOnKernels(program) {
  let expected;
  for (const executor of kernels()) {
    const guarded = (segment) => {
      const memory = executor.allocate(program.bytes[segment] + guardBytes);
      executor.write(memory, program.bytes[segment], new Uint8Array(guardBytes).fill(guardByte));
      return memory;
    };
    const memory = { state: guarded("state"), inputs: guarded("inputs"), outputs: guarded("outputs") };
    try {
      await executor.load(program).run(memory);
    } catch (error) {
      if (error instanceof UserError) return; // more work memory than there is, or bf16 where it is not known
      if (error.message.endsWith("has no products of bf16")) return;
      throw error;
    }
    const contents = {};
    for (const [name, { bytes }] of Object.entries(memory)) {
      contents[name] = new Uint8Array(bytes);
      await executor.read(memory[name], 0, contents[name]);
      const behind = contents[name].subarray(program.bytes[name]);
      must(
        behind.every((byte) => byte === guardByte),
        `${executor.name} wrote behind the segment ${name}`,
      );
    }
    if (executor.name !== "native") continue;
    const bits = Buffer.concat([contents.state, contents.outputs]);
    must(expected === undefined || expected.equals(bits), "the bits depend on threads or machine code");
    expected = bits;
  }
}

/** Steps of a network that has every kind of layer, with values in full precision and as codes, and moves. */
function programs() {
  const executor = createReferenceExecutor();
  const value = (shape, data = new Float32Array(shape.reduce((n, extent) => n * extent, 1))) => ({
    data,
    shape,
  });
  const model = network("small", { input: [6, 6, 1], classes: 3 }, (net, x) => {
    let y = net.convolution("conv1", x, { channels: 2, kernel: 3, padding: 1 });
    y = net.pool(net.nonlinearity(net.batchNorm("bn1", y)), { size: 2 });
    y = net.convolution("conv2", y, { channels: 3, kernel: 2 });
    y = net.nonlinearity(net.batchNorm("bn2", y));
    return net.linear("fc1", net.dropout(net.flatten(y), 0.5), { features: 3 });
  });
  const batch = {
    images: value([2, 6, 6, 1]),
    labels: value([2], Int32Array.of(0, 2)),
    random: value([2], Int32Array.of(1, 2)),
  };
  const methods = [baseline(), dorefa({ weightBits: 2, activationBits: 2, gradientBits: 6 })];
  methods.push(qnn({ weightBits: 2, activationBits: 3 }), xnor({ weightBits: 1, activationBits: 1 }));
  const steps = methods.map((method) => {
    const { parameters: specs, statistics } = describe(model, method);
    const parameters = initialise(specs, 1);
    const optimizer = adam({ learningRate: 0.01 });
    const state = {
      parameters,
      statistics: initialise(statistics, 1),
      optimizer: optimizer.initial(parameters),
    };
    const step = compileStep(model, method, optimizer, executor);
    return step.program(createState(state, { executor }), { ...batch, scalars: optimizer.scalars(1, 0.01) });
  });
  const moves = compile(
    (_, { x }) => ({
      turned: graph.transpose(graph.pad(x, [1, 0], [0, 2]), [1, 0]),
      part: graph.slice(x, [1, 0], [2, 3]),
      pooled: graph.maxPool(graph.reshape(x, [1, 2, 3, 1]), { size: 2, stride: 1 }),
      largest: graph.reduceMax(x, [1]),
      moments: graph.moments(x, [0]),
    }),
    { executor },
  );
  return [...steps, moves.program(createState({}, { executor }), { x: value([2, 3]) })];
}

const toJson = ({ constants, ...program }) =>
  JSON.stringify({ ...program, constants: Array.from(constants) });

function fromJson(text) {
  const { constants, ...program } = JSON.parse(text, (_, value) => (value === "NaN" ? NaN : value));
  return { ...program, constants: Uint8Array.from(Array.isArray(constants) ? constants : []) };
}

/**
 * Changes an instruction so that its fields still belong together: a geometry whose kernel, stride or padding is any
 * number, with the output that follows; a space or copy whose operands lack the axes that grow.
 */
function stretch(instruction, random) {
  const size = () => random.pick(numbers.filter((n) => Number.isInteger(n) && n > 0));
  if (instruction.geometry !== undefined) {
    const g = instruction.geometry;
    for (const key of ["kernel", "stride", "padding"]) {
      if (!random.chance(0.5)) continue;
      const both = size();
      g[key] = random.chance(0.7) ? [both, both] : [both, g[key][1]];
    }
    const extent = (own, i) => Math.floor((own + 2 * g.padding[i] - g.kernel[i]) / g.stride[i]) + 1;
    [g.outHeight, g.outWidth] = [extent(g.height, 0), extent(g.width, 1)];
    for (const key of ["images", "channels"]) if (random.chance(0.1)) g[key] = size();
  } else if (instruction.kind === "map") {
    const axis = random.integer(0, 2);
    instruction.space[axis] = size();
    for (const value of [...instruction.operands, ...instruction.results]) {
      if (random.chance(0.9)) value.axes &= ~(4 >> axis);
      if (value.reduction === "none") value.reduction = "sum";
    }
  } else if (instruction.op === "copy") {
    instruction.extents.push(size());
    instruction.fromStrides.push(random.pick([0, 0, size()]));
    instruction.toStrides.push(random.pick([0, 1, size()]));
  } else if (instruction.to !== undefined) {
    instruction.to.shape = [size(), size()];
  }
}

/** Few instructions of a program, one or two of their fields damaged. */
function mutate(original, random, originals) {
  const program = JSON.parse(original);
  const start = random.integer(0, program.instructions.length - 1);
  program.instructions = program.instructions.slice(start, start + random.integer(1, 4));
  if (random.chance(0.25)) {
    stretch(random.pick(program.instructions), random);
    return JSON.stringify(program);
  }
  const places = [];
  const visit = (node) => {
    for (const key of Object.keys(node)) {
      places.push([node, key]);
      if (typeof node[key] === "object" && node[key] !== null) visit(node[key]);
    }
  };
  visit(program.instructions);
  if (random.chance(0.2)) visit({ bytes: program.bytes, names: program.names });
  for (let i = random.integer(1, random.chance(0.8) ? 1 : 3); i > 0; i--) {
    const [node, key] = random.pick(places);
    const value = node[key];
    if (random.chance(0.05)) delete node[key];
    else if (typeof value === "number")
      node[key] = random.chance(0.5) ? random.pick(numbers) : value + random.pick([-4, -1, 1, 4]);
    else if (typeof value === "string") node[key] = random.pick([...texts, ...stringsAt(key, originals)]);
    else if (Array.isArray(value)) {
      if (random.chance(0.5)) value.splice(random.integer(0, value.length), random.integer(0, 1));
      else value.push(value.length > 0 && random.chance(0.7) ? random.pick(value) : random.pick(numbers));
    } else {
      const alike = places.filter(
        ([other, k]) => k === key || ("offset" in Object(other[k]) && "offset" in Object(value)),
      );
      const [other, k] = random.pick(alike.length > 0 ? alike : places);
      node[key] = structuredClone(other[k]);
    }
  }
  return JSON.stringify(program);
}

/** The values that a key has somewhere in the programs. */
const stringsAt = (key, originals) =>
  originals.flatMap((text) =>
    [...text.matchAll(new RegExp(`"${key}":"(\\w+)"`, "g"))].map(([, found]) => found),
  );

function workOf(instruction) {
  const product = (extents) => extents.reduce((n, extent) => n * extent, 1);
  switch (instruction.kind) {
    case "map":
      return product(instruction.space) * (1 + instruction.operands.length + instruction.body.length);
    case "move":
      return product(instruction.op === "copy" ? instruction.extents : instruction.to.shape);
    case "product":
    case "window": {
      const { images, height, width, channels, kernel, outHeight, outWidth, outChannels } =
        instruction.geometry;
      const taps = Math.min(kernel[0], height) * Math.min(kernel[1], width);
      const copied = paddedSize([images, height, width, channels], instruction.geometry);
      return copied + images * outHeight * outWidth * outChannels * taps * channels;
    }
    default:
      throw new Misbehaviour(`verify accepts an instruction of kind ${JSON.stringify(instruction.kind)}`);
  }
}
