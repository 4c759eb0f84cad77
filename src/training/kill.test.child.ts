/** The process that `kill.test.ts` kills: trains in the directory it is given, or goes on there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const directory = process.argv[2];
console.log("ready");
const resume = existsSync(join(directory, "config.json"));
await train({ ...base, epochs: 40, directory, resume });
