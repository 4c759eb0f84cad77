/**
 * What the Programs of standard configurations consist of, counted and never timed: a change of the
 * compiler, of a method or a network that costs instructions, memory or traffic shows as a changed
 * line of counts.txt. `npx vitest run src/compiler/counts.test.ts -u` writes the file anew.
 */
import { expect, test } from "vitest";
import { sizeOf } from "../graph/index.js";
import { models } from "../models/index.js";
import type { GradientType, Network, ParameterSpec } from "../nn/index.js";
import { describe } from "../nn/index.js";
import { sgd } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, dorefa, qnn, ttq, twn, xnor } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import { hostTarget } from "../runtime/target.js";
import { costOf } from "../runtime/explain.js";
import type { Instruction, Program } from "../runtime/program.js";
import { verify } from "../runtime/verify.js";
import { compileScores, compileStep } from "../training/step.js";
import { layOut, State } from "./state.js";

const batchSize = 128;

const networks: Network[] = [models.lenet5, models.resnet20, models.vgg16, models.alexnet, models.resnet18];
const methods: [string, Method, GradientType?][] = [
  ["baseline", baseline()],
  ["qnn 1/1", qnn({ weightBits: 1, activationBits: 1 })],
  ["dorefa 2/2", dorefa({ weightBits: 2, activationBits: 2 })],
  ["dorefa 2/2 bf16", dorefa({ weightBits: 2, activationBits: 2 }), "bf16"],
  ["xnor 1/1", xnor()],
  ["twn 2/32", twn()],
  ["ttq 2/32", ttq()],
];

/** Verifies Programs and has no memory to run them in. */
const counting: Executor = {
  name: "reference",
  instructionSet: "none",
  threads: 1,
  memoryLimit: Infinity,
  target: { ...hostTarget, bf16Products: true },
  allocate: () => ({ bytes: 0 }),
  write: () => {},
  read: () => Promise.resolve(),
  copy: (memory) => memory,
  load(program) {
    verify(program);
    return { program, run: () => Promise.reject(new Error("a counted program does not run")) };
  },
};

const tree = (specs: readonly ParameterSpec[]) =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, { shape, dtype: "f32" as const }]));

function programOf(
  network: Network,
  method: Method,
  gradients: GradientType | undefined,
  run: "step" | "evaluation",
): Program {
  const specs = describe(network, method);
  const weights = { parameters: tree(specs.parameters), statistics: tree(specs.statistics) };
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 1e-4 });
  const velocities = { optimizer: { velocity: tree(specs.parameters) } };
  const layout = layOut("state", run === "step" ? { ...weights, ...velocities } : weights, hostTarget);
  const images = [batchSize, ...network.input];
  const batch = {
    images: { data: new Float32Array(sizeOf(images)), shape: images },
    labels: { data: new Int32Array(batchSize), shape: [batchSize] },
  };
  if (run === "evaluation") {
    const scores = compileScores(network, method, counting);
    return scores.program(new State(counting, layout, { bytes: 0 }), batch);
  }
  const step = compileStep(network, method, optimizer, counting, { gradients });
  const random = { data: Int32Array.of(1, 1), shape: [2] };
  return step.program(new State(counting, layout, { bytes: 0 }), {
    ...batch,
    random,
    scalars: optimizer.scalars(1, 0.1),
  });
}

const isProduct = (instruction: Instruction) => instruction.kind === "product";
const readsBytes = (instruction: Instruction): boolean =>
  instruction.kind === "product" && ["u8", "s8"].includes(instruction.inputs[0].storage);

/** Numbers of instructions, and MB (10^6 bytes). */
function row({ instructions, bytes }: Program): string[] {
  const kinds = {
    bytes: instructions.filter(readsBytes),
    floats: instructions.filter((instruction) => isProduct(instruction) && !readsBytes(instruction)),
    maps: instructions.filter(({ kind }) => kind === "map"),
    windows: instructions.filter(({ kind }) => kind === "window"),
    moves: instructions.filter(({ kind }) => kind === "move"),
  };
  const moved = (of: readonly Instruction[]) =>
    megabytes(of.reduce((sum, instruction) => sum + costOf(instruction).bytes, 0));
  return [
    ...Object.values(kinds).map((of) => String(of.length)),
    megabytes(bytes.scratch),
    moved(instructions),
    moved(kinds.maps),
  ];
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

const header = [
  "products on bytes",
  "on floats",
  "maps",
  "windows",
  "moves",
  "scratch MB",
  "moved MB",
  "by maps",
];

test("standard configurations have the instructions, the memory and the traffic of counts.txt", async () => {
  const lines = [`batch ${batchSize}`.padEnd(38) + header.join("  ")];
  for (const network of networks) {
    for (const [name, method, gradients] of methods) {
      for (const run of ["step", "evaluation"] as const) {
        if (gradients !== undefined && run === "evaluation") continue;
        const cells = row(programOf(network, method, gradients, run)).map((cell, i) =>
          cell.padStart(header[i].length),
        );
        lines.push(`${network.name.padEnd(10)}${name.padEnd(16)}${run.padEnd(12)}` + cells.join("  "));
      }
    }
  }
  await expect(lines.join("\n") + "\n").toMatchFileSnapshot("counts.txt");
});
