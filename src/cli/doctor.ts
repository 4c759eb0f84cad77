/** `fewbit doctor`: what this machine has, and what fewbit makes of it. */
import { availableParallelism, cpus, totalmem } from "node:os";
import { chooseExecutor } from "../runtime/choose.js";
import { allowsMachineCode, instructionSets, nativeProblem } from "../runtime/native.js";
import { loadWasm } from "../runtime/wasm-file.js";
import { bytesText } from "./text.js";

interface KernelScript {
  findCompiler(): { readonly command: string; readonly version: string } | undefined;
}

/** How elementwise work runs, and why. */
function mapsText(): string {
  if (nativeProblem() !== undefined) return "interpreted: only native kernels make machine code";
  if (process.env.FEWBIT_INTERPRET) return "interpreted (from FEWBIT_INTERPRET)";
  return allowsMachineCode()
    ? "translated to machine code"
    : "interpreted, which is slower: this system does not let a program make machine code";
}

export async function doctor(): Promise<void> {
  const script = new URL("../../scripts/build-kernels.mjs", import.meta.url).href;
  const { findCompiler } = (await import(script)) as KernelScript;
  const compiler = findCompiler();
  const { executor, reason } = chooseExecutor();
  const problem = nativeProblem();
  const rows = [
    ["CPU", `${cpus()[0]?.model.trim() ?? "unknown"}, ${availableParallelism()} usable of ${cpus().length}`],
    ["memory", bytesText(totalmem())],
    ["Node", `${process.version} on ${process.platform} ${process.arch}`],
    ["instruction sets", instructionSets().join(", ") || "none that the kernels can use"],
    [
      "C++ compiler",
      compiler === undefined
        ? "none found (looked for $CXX, g++, clang++)"
        : `${compiler.command}: ${compiler.version}`,
    ],
    ["native kernels", problem ?? "built and loaded"],
    ["maps", mapsText()],
    ["WebAssembly", loadWasm().problem ?? "its kernels load"],
    ["executor", `${executor.name}: ${reason}`],
    [
      "bf16 gradients",
      executor.bf16Products ? "multiplied in bf16" : "emulated: rounded, and no faster than f32",
    ],
    ["threads", String(executor.threads)],
  ];
  console.log(rows.map(([name, value]) => `${name.padEnd(18)}${value}`).join("\n"));
  if (problem !== undefined && compiler !== undefined) {
    console.log("\nTo build the kernels: npm run setup (in a clone), or npm rebuild fewbit");
  }
}
