import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    setupFiles: ["./vitest.setup.ts"],
    // A fork has its own add-on and its own working directory; trainings take seconds.
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
