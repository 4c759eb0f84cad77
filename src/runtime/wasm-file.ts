/** The WebAssembly kernels from this package's own file, for Node. */
import { readFileSync } from "node:fs";
import { firstLineOf } from "../errors.js";
import { ownFile } from "./own-files.js";
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
  const path = ownFile("wasm/fewbit.wasm", () => new URL("../../wasm/fewbit.wasm", import.meta.url));
  if (path === undefined) {
    return {
      problem:
        "the WebAssembly kernels are not there (bundled code finds fewbit's wasm/fewbit.wasm beside it, or in node_modules)",
    };
  }
  try {
    return { module: compileWasm(readFileSync(path)) };
  } catch (error) {
    return { problem: `the WebAssembly kernels do not load (${firstLineOf(error)})` };
  }
}
