/** Writes a Program and the memory of a run to a file that `kernels/run.cpp` runs without Node. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "./encode.js";
import type { Program } from "./program.js";

/** The bytes of a run's state and inputs. */
export interface DumpedMemory {
  readonly state: Uint8Array;
  readonly inputs: Uint8Array;
}

/** The file: the number of words, the words, then the contents of constants, state and inputs. */
function dumpProgram(program: Program, memory: DumpedMemory, path: string): void {
  const words = encode(program);
  const constants = new Uint8Array(program.bytes.constants);
  constants.set(program.constants);
  writeFileSync(
    path,
    Buffer.concat([
      new Uint8Array(Int32Array.of(words.length).buffer),
      new Uint8Array(words.buffer),
      constants,
      memory.state.subarray(0, program.bytes.state),
      memory.inputs.subarray(0, program.bytes.inputs),
    ]),
  );
}

/** Dumps a program into a folder, under a name made of its words, unless it is there already. */
export function dumpOnce(program: Program, memory: DumpedMemory, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const name = createHash("sha256").update(encode(program)).digest("hex").slice(0, 16);
  const path = join(folder, `${name}.program`);
  if (!existsSync(path)) dumpProgram(program, memory, path);
}
