/** `verify` and the reference executor: what verify accepts runs, and touches nothing outside its segments. */
import { compile } from "../../../dist/compiler/compile.js";
import { createState } from "../../../dist/compiler/state.js";
import { valueAndGradients } from "../../../dist/compiler/autodiff.js";
import * as graph from "../../../dist/graph/index.js";
import { createReferenceExecutor } from "../../../dist/runtime/reference.js";
import { verify } from "../../../dist/runtime/verify.js";
import { Misbehaviour, outcomeOf } from "../outcome.mjs";
import { guarded } from "./guarded.mjs";

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
  2 ** 31,
  2 ** 32,
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
          const buffer = { state, inputs, outputs }[segment] ?? executor.allocate(program.bytes[segment]);
          new (storage === "i32" ? Int32Array : Float32Array)(buffer, offset, elements);
        }
        await executor.load(program).run({ state, inputs, outputs });
      });
    },
  };
}

/** Steps whose programs hold every kind of instruction: products, windows, maps, moves and random numbers. */
function programs() {
  const executor = createReferenceExecutor();
  const value = (shape, data = new Float32Array(shape.reduce((n, extent) => n * extent, 1))) => ({
    data,
    shape,
  });
  const step = compile(
    (state, { images, labels, key }) => {
      const { value: loss, gradients } = valueAndGradients((p) => {
        let y = graph.convolution(images, p.kernel, { padding: 1 });
        y = graph.averagePool(graph.relu(y), { size: 2, stride: 1 });
        y = graph.maxPool(graph.convolution(y, p.second, { padding: 1 }), { size: 2, stride: 1 });
        const moments = graph.moments(y, [0, 1, 2]);
        const [mean, variance] = [0, 1].map((i) =>
          graph.reshape(graph.slice(moments, [i, 0], [i + 1, 1]), [1]),
        );
        y = graph.div(graph.sub(y, mean), graph.sqrt(graph.add(variance, 0.1)));
        y = graph.mul(y, graph.lt(graph.random(key, y.shape), 0.5));
        const logits = graph.matmul(graph.reshape(y, [2, 4]), graph.tanh(p.matrix));
        return graph.mean(graph.softmaxCrossEntropy(logits, labels));
      }, state);
      const next = Object.fromEntries(
        Object.entries(state).map(([name, w]) => [name, graph.sub(w, graph.mul(0.1, gradients[name]))]),
      );
      return { state: next, loss };
    },
    { executor },
  );
  const state = createState(
    { kernel: value([3, 3, 1, 2]), second: value([3, 3, 2, 1]), matrix: value([4, 3]) },
    { executor },
  );
  const moves = compile(
    (_, { x }) => ({
      turned: graph.transpose(graph.pad(x, [1, 0], [0, 2]), [1, 0]),
      part: graph.slice(x, [1, 0], [2, 3]),
      largest: graph.reduceMax(x, [1]),
    }),
    { executor },
  );
  return [
    step.program(state, {
      images: value([2, 4, 4, 1]),
      labels: value([2], Int32Array.of(0, 2)),
      key: value([2], Int32Array.of(1, 2)),
    }),
    moves.program(createState({}, { executor }), { x: value([2, 3]) }),
  ];
}

const toJson = ({ constants, ...program }) =>
  JSON.stringify({ ...program, constants: Array.from(constants) });

function fromJson(text) {
  const { constants, ...program } = JSON.parse(text, (_, value) => (value === "NaN" ? NaN : value));
  return { ...program, constants: Uint8Array.from(Array.isArray(constants) ? constants : []) };
}

/** Few instructions of a program, one or two of their fields damaged. */
function mutate(original, random, originals) {
  const program = JSON.parse(original);
  const start = random.integer(0, program.instructions.length - 1);
  program.instructions = program.instructions.slice(start, start + random.integer(1, 4));
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
      return images * (height * width * channels + outHeight * outWidth * outChannels * taps * channels);
    }
    default:
      throw new Misbehaviour(`verify accepts an instruction of kind ${JSON.stringify(instruction.kind)}`);
  }
}
