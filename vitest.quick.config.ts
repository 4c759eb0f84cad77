import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/**
 * What tells in half a minute whether another version of Node runs fewbit: the add-on, WebAssembly, the
 * compiler, data, images, trainings, what they leave, studies, reports, the dashboard's server. No
 * processes, browsers and servers of others.
 */
export default defineConfig({
  test: {
    ...base.test,
    include: [
      "src/{errors,package}",
      "src/random/*",
      "src/graph/tiny",
      "src/runtime/{native,native-moves,wasm}",
      "src/compiler/compile",
      "src/data/{idx,batches,images,cifar10}",
      "src/files/*",
      "src/run-folder/{checkpoint,directory,metrics,safetensors}",
      "src/training/{stop,train}",
      "src/experiments/study",
      "src/report/!(plots)", // those are drawn in a browser
      "src/dashboard/{server,watch}",
    ].map((name) => `${name}.test.ts`),
  },
});
