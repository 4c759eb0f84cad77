/**
 * `npm run bench -- images --folder DIR [--rounds 5] [--steps 5] [--only frame]`: photographs prepared by us and by torchvision's
 * usual pipeline with Pillow, and with Pillow-SIMD if $PILLOW_SIMD names a folder that has it (`pip install --target`), by turns in
 * processes of their own on one core; medians over rounds of the processor time per image, and the ratio. `--steps` is how often
 * a process prepares the folder. Parts: `frame`, the shorter side to 256 pixels and a crop of 224, and `resized`, random resized
 * crops. Without a python3 (or $PYTHON) that has torchvision, ours alone.
 */
import { cpus, loadavg } from "node:os";
import { median, run, runParts, versionOf } from "./common/processes.mjs";

const names = {
  frame: "256-pixel resize, crop of 224, flip, normalise",
  resized: "random resized crop to 224, flip, normalise",
};
const python = process.env.PYTHON ?? "python3";

/** A command on one core, where the system has a command for that. */
const onOneCore = (command, args, env) =>
  process.platform === "linux"
    ? run("taskset", ["-c", `${cpus().length - 1}`, command, ...args], env)
    : run(command, args, env);

export async function benchImages({ folder, rounds, steps = 5, only, json }) {
  if (folder === undefined) {
    console.error("--folder DIR must name a folder of photographs (JPEG), such as part of ImageNet");
    process.exit(2);
  }
  const torchvision = versionOf("torchvision");
  const simd = process.env.PILLOW_SIMD;
  const report = (row, text) => console.log(json ? JSON.stringify(row) : text);
  if (!json) {
    const peers =
      torchvision === undefined ? "torchvision not found: ours alone" : `torchvision ${torchvision}`;
    console.log(
      `${cpus()[0].model}, one core, Node ${process.version}, ${peers}, load ${loadavg()[0].toFixed(1)}`,
    );
  }
  const parts = Object.keys(names).map((crop) => [
    crop,
    () => compare(crop, { folder, rounds, repeats: steps, torchvision, simd, report }),
  ]);
  await runParts(Object.fromEntries(parts), only);
}

async function compare(crop, { folder, rounds, repeats, torchvision, simd, report }) {
  const flags = ["--folder", folder, "--crop", crop, "--repeats", `${repeats}`];
  const ways = {
    ours: () => onOneCore(process.execPath, ["bench/ours/images.mjs", ...flags], { UV_THREADPOOL_SIZE: "1" }),
    ...(torchvision && { Pillow: () => onOneCore(python, ["bench/peers/images.py", ...flags]) }),
    ...(torchvision &&
      simd && {
        "Pillow-SIMD": () => onOneCore(python, ["bench/peers/images.py", ...flags], { PYTHONPATH: simd }),
      }),
  };
  const results = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  // The first round warms the disk's cache and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const result = await way();
      if (round > 0) results[name].push(result);
    }
  }
  const ms = Object.fromEntries(
    Object.entries(results).map(([name, all]) => [name, median(all.map(({ medianMs }) => medianMs))]),
  );
  const { images } = results.ours[0];
  const versions = Object.values(results).flatMap((all) => all[0].pillow ?? []);
  const text = Object.entries(ms)
    .map(([name, value]) => {
      const ratio = name === "ours" ? "" : `, ratio ${(value / ms.ours).toFixed(2)}`;
      return `  ${name.padEnd(12)} ${value.toFixed(2)} ms, ${(1000 / value).toFixed(0)} images/s${ratio}`;
    })
    .join("\n");
  const head = `${names[crop]}, ${images} photographs, processor time per image`;
  report(
    { crop, ms, images, versions },
    `${head}${versions.length > 0 ? ` (Pillow ${versions.join(", ")})` : ""}:\n${text}`,
  );
}
