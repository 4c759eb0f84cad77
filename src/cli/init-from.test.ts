/** `--init-from` on the command line. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, dorefa, expectRefusal, fewbit, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
beforeAll(async () => {
  build();
  folder = newFolder();
  expect(await fewbit(folder, `${training} --epochs 1 --out float`)).toMatchObject({ code: 0 });
});
afterAll(() => rmSync(folder, { recursive: true }));

test("says what is wrong with a source, and writes nothing", async () => {
  writeFileSync(join(folder, "foreign.safetensors"), "<html>no weights</html>");
  const refusals = [
    ["nowhere", "nowhere does not exist (from --init-from)"],
    ["mnist", "mnist holds no run: there is no config.json (from --init-from)"],
    [
      "foreign.safetensors",
      "foreign.safetensors is not a sound safetensors file: its header should have 8029423821061908000 bytes, the file has 23",
    ],
  ] as const;
  for (const [words, message] of refusals) {
    await expectRefusal(folder, `${training} --out refused --init-from ${words}`, message);
  }
  const alone = `${training} --out refused --init-skip fc3`;
  await expectRefusal(folder, alone, "initSkip has no effect without initFrom (from --init-skip)");
});

test("tells what was taken, and goes on without the source", async () => {
  const begun = await fewbit(
    folder,
    `${training} ${dorefa} --epochs 1 --out low --init-from float --init-skip fc3`,
  );
  expect(begun).toMatchObject({ code: 0, stderr: "" });
  expect(begun.stdout).toContain(
    "starts from float: 18 arrays of 19 taken\n  fc3.weight: skipped, starts as drawn\n",
  );
  rmSync(join(folder, "float"), { recursive: true });
  const resumed = await fewbit(folder, "train --resume low --epochs 2");
  expect(resumed).toMatchObject({ code: 0, stderr: "" });
  expect(resumed.stdout).not.toContain("starts from");
  const config = JSON.parse(readFileSync(join(folder, "low", "config.json"), "utf8")) as object;
  expect(config).toMatchObject({
    initialWeights: { checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string, skip: ["fc3"] },
    options: { initFrom: "float", initSkip: ["fc3"] },
  });
});
