/** The WebAssembly kernels from this package's own file, for Node. */
import { readFileSync } from "node:fs";
import type { WasmModule } from "./wasm.js";
import { compileWasm } from "./wasm.js";

type Loaded =
  | { readonly module: WasmModule; readonly problem?: undefined }
  | { readonly module?: undefined; readonly problem: string };

let loaded: Loaded | undefined;

/** The module, compiled once; or why there is none, as part of a sentence. */
export function loadWasm(): Loaded {
  loaded ??= load();
  return loaded;
}

function load(): Loaded {
  try {
    return { module: compileWasm(readFileSync(new URL("../../wasm/fewbit.wasm", import.meta.url))) };
  } catch (error) {
    const [line] = (error as Error).message.split("\n");
    return { problem: `the WebAssembly kernels do not load (${line})` };
  }
}
