/** `fewbit doctor`: what this machine has, and how fewbit uses it. */
import { cpus, totalmem } from "node:os";
import { usableCpus, usableMemory } from "../machine.js";
import { chooseExecutor } from "../runtime/choose.js";
import { allowsMachineCode, instructionSets, nativeProblem } from "../runtime/native.js";
import { loadWasm } from "../runtime/wasm-file.js";
import { bytesText, print } from "./text.js";

interface KernelScript {
  findCompiler(): { readonly command: string; readonly version: string } | undefined;
  noCompiler(): string;
  readRecord(): { readonly missing?: Readonly<Record<string, string>> };
}

/** What the kernels can use of this CPU, and what their compiler could not build. */
function setsText({ readRecord }: KernelScript): string {
  if (nativeProblem() !== undefined) return "known once the native kernels load";
  const missing = Object.keys(readRecord().missing ?? {});
  const without =
    missing.length === 0 ? "" : ` (without ${missing.join(", ")}: the compiler could not build it)`;
  return `${instructionSets().join(", ")}${without}`;
}

function memoryText(): string {
  const [usable, total] = [usableMemory(), totalmem()];
  return usable < total ? `${bytesText(usable)} usable of ${bytesText(total)}` : bytesText(total);
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
  const path = new URL("../../scripts/build-kernels.mjs", import.meta.url).href;
  const script = (await import(path)) as KernelScript;
  const compiler = script.findCompiler();
  const { executor, reason, warning } = chooseExecutor({ onWarning: () => {} });
  const problem = nativeProblem();
  const rows = [
    ["CPU", `${cpus()[0]?.model.trim() ?? "unknown"}, ${usableCpus()} usable of ${cpus().length}`],
    ["memory", memoryText()],
    ["Node", `${process.version} on ${process.platform} ${process.arch}`],
    ["instruction sets", setsText(script)],
    [
      "C++ compiler",
      compiler === undefined ? script.noCompiler() : `${compiler.command}: ${compiler.version}`,
    ],
    ["native kernels", problem ?? "built and loaded"],
    ["maps", mapsText()],
    ["WebAssembly", loadWasm().problem ?? "its kernels load"],
    ["executor", `${executor.name}: ${reason}`],
    [
      "bf16 gradients",
      executor.target.bf16Products ? "multiplied in bf16" : "emulated: rounded, and no faster than f32",
    ],
    ["threads", String(executor.threads)],
  ];
  print(rows.map(([name, value]) => `${name.padEnd(18)}${value}`).join("\n"));
  if (warning !== undefined) print(`\n${warning}`);
}
