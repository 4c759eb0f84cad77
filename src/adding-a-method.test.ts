/** docs/adding-a-method.md, followed to the letter by a user who has fewbit in node_modules. */
import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { followed } from "./documents.test.fixture.js";

let folder: string;
let commands: readonly string[];
let outputs: readonly string[];
beforeAll(() => {
  ({ folder, commands, outputs } = followed("adding-a-method"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the summary has its bits in the layers that it quantizes", () => {
  const bits = outputs[0]
    .split("\n")
    .slice(1, 6)
    .map((line) => line.split(/ +/).slice(0, 2).join(" "));
  expect(bits).toEqual(["conv1 32/32", "conv2 2/2", "fc1 2/2", "fc2 2/2", "fc3 32/32"]);
});

test("it learns", () => {
  expect(Number(/([\d.]+)% of the test images right/.exec(outputs[1])![1])).toBeGreaterThan(90);
});

test("its limits are trained, and kept with the weights", () => {
  const bytes = readFileSync(join(folder, "runs/pact/best.safetensors"));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE()))) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const start = 8 + Number(bytes.readBigUInt64LE());
  for (const layer of ["conv2", "fc1", "fc2"]) {
    const limit = bytes.readFloatLE(start + header[`parameters/${layer}.own.limit`].data_offsets[0]);
    expect(limit).toBeGreaterThan(0);
    expect(limit).not.toBe(2);
  }
});

test("the stored run is scored as it was", () => {
  const [, best] = /([\d.]+%) of the test images right/.exec(outputs[1])!;
  expect(outputs[2].startsWith(`${best} of 2,000 test images`)).toBe(true);
});

test("a layer has bits of its own, though the method knows no activations of 32 bits", () => {
  const [summary] = commands;
  const text = execFileSync("sh", ["-c", `${summary} --layer fc2.weightBits=8`], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(text).toMatch(/^fc2 +8\/2 /m);
});

test("a run belongs to the file that it was trained with", () => {
  appendFileSync(join(folder, "pact.mjs"), "\n");
  const result = spawnSync("sh", ["-c", "npx fewbit eval runs/pact --method ./pact.mjs"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(result.status).toBe(2);
  expect(result.stderr).toMatch(
    /^fewbit: \.\/pact\.mjs is not the file that runs\/pact was trained with: .*\n$/,
  );
});
