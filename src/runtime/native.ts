/**
 * The native executor: Programs run by the C++ add-on `build/fewbit.node` on several threads. The
 * event loop stays free; the bits of all results depend neither on the threads nor on the
 * instruction set.
 */
import { createRequire } from "node:module";
import { relative } from "node:path";
import { firstLineOf, memoryText, quoted, UserError } from "../errors.js";
import { blockProblem, usableMemory } from "../machine.js";
import type { DumpedMemory } from "./dump.js";
import { dumpOnce } from "./dump.js";
import { encode } from "./encode.js";
import type { Executor, LoadedProgram, Memory, RunMemory } from "./executor.js";
import { allocateOrExplain, turns } from "./executor.js";
import { bytesIn } from "./host-memory.js";
import { ownFile } from "./own-files.js";
import type { Program } from "./program.js";
import { multipliesBf16 } from "./program.js";
import { hostTarget } from "./target.js";
import { verify } from "./verify.js";

export type InstructionSet = "avx512bf16" | "avx512vnni" | "avx512" | "avx2vnni" | "avx2";

type Executable = { readonly brand: "executable" };

/** What kernels/addon.cpp exports. */
interface AddOn {
  instructionSets(): InstructionSet[];
  allocate(bytes: number): Memory;
  write(memory: Memory, offset: number, bytes: Uint8Array): void;
  read(memory: Memory, offset: number, into: Uint8Array): void;
  copy(from: Memory, to: Memory): void;
  availableThreads(threads: number): number;
  allowsMachineCode(): boolean;
  load(words: Int32Array, instructionSet: InstructionSet, threads: number, interpret: boolean): Executable;
  workBytes(executable: Executable): number;
  run(
    executable: Executable,
    memory: readonly [
      constants: Memory,
      state: Memory,
      inputs: Memory,
      outputs: Memory,
      scratch: Memory,
      work: Memory,
    ],
    nanoseconds: Float64Array | undefined,
  ): Promise<void>;
  resample(
    pixels: Uint8Array,
    numbers: Int32Array,
    out: Uint8Array,
    instructionSet: InstructionSet,
  ): Promise<void>;
  peak(threads: number, instructionSet: InstructionSet): [operations: number, bytes: number];
}

const noAvx2 = "this CPU has no AVX2 with FMA";

let loaded: { readonly addOn?: AddOn; readonly problem?: string } | undefined;

function load(): { readonly addOn?: AddOn; readonly problem?: string } {
  if (loaded !== undefined) return loaded;
  if (process.arch !== "x64") {
    loaded = { problem: `the native kernels need an x64 CPU, and this is ${process.arch}` };
    return loaded;
  }
  const path = ownFile("build/fewbit.node");
  if (path === undefined) {
    loaded = { problem: "the native kernels are not built" };
    return loaded;
  }
  try {
    const addOn = createRequire(path)(path) as AddOn;
    const problem = addOn.instructionSets().length === 0 ? noAvx2 : undefined;
    loaded = problem === undefined ? { addOn } : { problem };
  } catch (error) {
    loaded = { problem: `the native kernels do not load (${firstLineOf(error)})` };
  }
  return loaded;
}

/** Why the native executor cannot run here, as part of a sentence; undefined if it can. */
export function nativeProblem(): string | undefined {
  return load().problem;
}

/**
 * The command that builds the kernels, whatever package manager installed them; undefined where they run, or this
 * platform can have none.
 */
export function kernelsCommand(): string | undefined {
  const { addOn, problem } = load();
  const mendable =
    ["linux", "darwin"].includes(process.platform) && process.arch === "x64" && problem !== noAvx2;
  const script = mendable && addOn === undefined ? ownFile("scripts/build-kernels.mjs") : undefined;
  if (script === undefined) return undefined;
  return `node ${quoted(relative(process.cwd(), script))}`;
}

/** The instruction sets that this CPU has and the kernels are built for, fastest first; none where the executor cannot run. */
export function instructionSets(): readonly InstructionSet[] {
  return load().addOn?.instructionSets() ?? [];
}

/** Whether the native executor may translate maps to machine code: some systems give no executable memory. */
export function allowsMachineCode(): boolean {
  return load().addOn?.allowsMachineCode() ?? false;
}

export interface NativeOptions {
  /** 1 to `mostThreads`. The executor has fewer where the system makes no more. */
  readonly threads: number;
  /** Default: FEWBIT_INSTRUCTION_SET, else the fastest. */
  readonly instructionSet?: InstructionSet;
  /** Whether maps are interpreted instead of translated to machine code; the bits are the same. Default: whether FEWBIT_INTERPRET is set. */
  readonly interpret?: boolean;
}

/**
 * With FEWBIT_DUMP=FOLDER in the environment, writes every program that runs there, for
 * `scripts/sanitize.mjs`.
 * @throws UserError if the native executor cannot run, or the instruction set is not among those of this CPU.
 */
export function createNativeExecutor(options: NativeOptions): Executor {
  const addOn = requireAddOn();
  const instructionSet = chooseInstructionSet(options.instructionSet);
  const { threads, interpret = Boolean(process.env.FEWBIT_INTERPRET) } = options;
  const memoryLimit = 0.8 * usableMemory();
  const bf16Products = instructionSet === "avx512bf16";
  const { inTurn, whenFree } = turns();
  const dumpFolder = process.env.FEWBIT_DUMP;
  const allocate = (bytes: number): Memory =>
    allocateOrExplain(bytes, (size) => addOn.allocate(size), blockProblem);
  const read: Executor["read"] = (memory, offset, into) =>
    whenFree(memory, () => addOn.read(memory, offset, bytesIn(into)));
  /** The memory of a run to dump. */
  const bytesFor = ({ bytes }: Program, { state, inputs }: RunMemory): DumpedMemory => {
    const dumped = { state: new Uint8Array(bytes.state), inputs: new Uint8Array(bytes.inputs) };
    addOn.read(state, 0, dumped.state);
    addOn.read(inputs, 0, dumped.inputs);
    return dumped;
  };
  let scratch = allocate(0);
  let work = allocate(0);
  return {
    name: "native",
    instructionSet,
    threads: addOn.availableThreads(threads),
    target: { ...hostTarget, bf16Products },
    memoryLimit,
    allocate,
    write: (memory, offset, data) => addOn.write(memory, offset, bytesIn(data)),
    read,
    copy: (memory, into = allocate(memory.bytes)) => {
      void inTurn([memory, into], () => addOn.copy(memory, into));
      return into;
    },
    load(program): LoadedProgram {
      verify(program);
      if (!bf16Products && multipliesBf16(program))
        throw new Error(`${instructionSet} has no products of bf16`);
      const executable = addOn.load(encode(program), instructionSet, threads, interpret);
      const constants = allocate(program.bytes.constants);
      addOn.write(constants, 0, program.constants);
      const workBytes = addOn.workBytes(executable);
      if (workBytes > memoryLimit) {
        throw new UserError(
          `one step needs ${memoryText(workBytes)} of work memory, but at most ${memoryText(memoryLimit)} may be used here; ` +
            "use less padding, or a smaller image or network",
        );
      }
      if (scratch.bytes < program.bytes.scratch) scratch = allocate(program.bytes.scratch);
      if (work.bytes < workBytes) work = allocate(workBytes);
      return {
        program,
        run: (memory, nanoseconds) => {
          const { state, inputs, outputs } = memory;
          return inTurn([state, inputs, outputs], () => {
            if (dumpFolder) dumpOnce(program, bytesFor(program, memory), dumpFolder);
            return addOn.run(executable, [constants, state, inputs, outputs, scratch, work], nanoseconds);
          });
        },
      };
    },
  };
}

/**
 * The add-on's function that makes an image another size, beside this thread (see kernels/addon.cpp); undefined where the
 * add-on cannot run.
 */
export function nativeResample():
  ((pixels: Uint8Array, numbers: Int32Array, out: Uint8Array) => Promise<void>) | undefined {
  const { addOn } = load();
  if (addOn === undefined) return undefined;
  const instructionSet = chooseInstructionSet();
  return (pixels, numbers, out) => addOn.resample(pixels, numbers, out, instructionSet);
}

/**
 * Measures the peak performance of this machine with a number of threads: f32 operations per second in registers, bytes
 * per second read and written in memory. Takes about 0.2 s.
 */
export function measurePeak(threads: number): { readonly operations: number; readonly bytes: number } {
  const addOn = requireAddOn();
  const [operations, bytes] = addOn.peak(threads, chooseInstructionSet());
  return { operations, bytes };
}

function requireAddOn(): AddOn {
  const { addOn, problem } = load();
  if (addOn === undefined) {
    throw new UserError(`executor native cannot run: ${problem}; use executor wasm`, "executor");
  }
  return addOn;
}

function chooseInstructionSet(asked?: string): InstructionSet {
  const available = instructionSets();
  const name = asked ?? (process.env.FEWBIT_INSTRUCTION_SET || available[0]);
  const found = available.find((instructionSet) => instructionSet === name);
  if (found === undefined) {
    const source = asked === undefined ? " (from FEWBIT_INSTRUCTION_SET)" : "";
    throw new UserError(
      `instruction set must be one that this CPU has (${available.join(", ")}), got ${name}${source}`,
    );
  }
  return found;
}
