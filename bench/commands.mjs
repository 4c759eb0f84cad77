/**
 * `npm run bench -- commands --base REVISION [--json] [--rounds 3]`: the README's two commands, each round in a
 * fresh clone of the present commit and in one of another, by turns and with an empty environment; medians
 * over rounds. `npm start` includes installation and the build of the kernels.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { median, root } from "./common/processes.mjs";

const commands = [
  "npm start",
  "npx fewbit train lenet5 --method dorefa --weight-bits 2 --activation-bits 2 --out runs/two-bits",
];

export async function benchCommands({ base, rounds, json }) {
  if (base === undefined) {
    console.error("commands needs the commit to compare with: --base REVISION");
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const env = { PATH: process.env.PATH, HOME: folder };
  const sh = (command, cwd) => promisify(execFile)("sh", ["-c", command], { cwd, env, maxBuffer: 1 << 24 });
  const times = { HEAD: commands.map(() => []), [base]: commands.map(() => []) };

  // The first round fills npm's cache and the disk's, and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const revision of Object.keys(times)) {
      const clone = join(folder, "clone");
      await sh(
        `git clone -q '${root}' clone && git -C clone -c advice.detachedHead=false checkout -q '${revision}'`,
        folder,
      );
      for (const [i, command] of commands.entries()) {
        const start = performance.now();
        await sh(command, clone);
        if (round > 0) times[revision][i].push((performance.now() - start) / 1000);
      }
      rmSync(clone, { recursive: true });
    }
  }
  rmSync(folder, { recursive: true });

  if (!json) console.log(`${cpus()[0].model}, Node ${process.version}, ${rounds} rounds`);
  commands.forEach((command, i) => {
    const [seconds, baseSeconds] = [times.HEAD, times[base]].map((all) => median(all[i]));
    const ratio = seconds / baseSeconds;
    const text = `${command}: ${seconds.toFixed(1)} s, ${base} ${baseSeconds.toFixed(1)} s, ratio ${ratio.toFixed(2)}`;
    console.log(json ? JSON.stringify({ command, seconds, base, baseSeconds, ratio }) : text);
  });
}
