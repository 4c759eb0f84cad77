import { defineConfig } from "vitest/config";
import { measurePatience } from "./vitest.patience.js";

const patience = measurePatience();
// What hangs ends; nothing else should. Tests have no limits of their own, which would not know of the load.
const limit = 240_000 * patience;

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    setupFiles: ["./vitest.setup.ts"],
    // A fork has its own add-on and its own working directory; trainings take seconds.
    pool: "forks",
    testTimeout: limit,
    hookTimeout: limit,
    expect: { poll: { timeout: 20_000 * patience } },
    env: { FEWBIT_TEST_PATIENCE: String(patience) },
  },
});
