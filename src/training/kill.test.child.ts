/** The process that `kill.test.ts` kills: trains in the directory it is given, or goes on there, and says how far it is. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const directory = process.argv[2];
const resume = existsSync(join(directory, "config.json"));
console.log("begin");
await train({
  ...base,
  epochs: 40,
  directory,
  resume,
  onProgress: ({ phase, epoch }) => {
    if (phase === "epoch") console.log(`epoch ${epoch}`);
  },
});
