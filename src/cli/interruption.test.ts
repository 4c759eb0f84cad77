/** Runs that end before their time: interrupted and resumed, extended, or stopped by a loss that broke down. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadRun } from "../training/index.js";
import { build, digests, dorefa, fewbit, listing, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** 64 steps per epoch, so that an interruption at an epoch's end comes in the middle of the next. */
const job = `train lenet5 --data mnist --data-dir mnist --batch-size 4 ${dorefa}`;

/** The steps that a checkpoint has done in its running epoch, from the header of the file. */
function stepsInEpoch(run: string): number {
  const bytes = readFileSync(join(folder, run, "checkpoint.safetensors"));
  const header = bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0)));
  return Number((JSON.parse(header) as { __metadata__: { step: string } }).__metadata__.step);
}

async function succeeds(args: string): Promise<void> {
  expect(await fewbit(folder, args)).toMatchObject({ code: 0, stderr: "" });
}

describe("a run that is resumed has the same bits as an unbroken one,", () => {
  beforeAll(() => succeeds(`${job} --epochs 3 --out whole`));

  test("extended by --epochs", async () => {
    await succeeds(`${job} --epochs 1 --out extended`);
    await succeeds("train --resume extended --epochs 3");
    expect(digests(join(folder, "extended"))).toEqual(digests(join(folder, "whole")));
  });

  test("interrupted in the middle of an epoch", async () => {
    const { code, stdout, stderr } = await fewbit(folder, `${job} --epochs 3 --out broken`, {
      interruptWhen: (text) => text.includes("epoch 1/3"),
    });
    expect([code, stderr]).toEqual([130, "finishing the step, then saving; press again to stop at once\n"]);
    expect(stdout).toMatch(/\ninterrupted and saved; go on with: npx fewbit train --resume broken\n$/);
    expect(stepsInEpoch("broken")).toBeGreaterThan(0);
    await succeeds("train --resume broken");
    expect(stepsInEpoch("broken")).toBe(0);
    expect(digests(join(folder, "broken"))).toEqual(digests(join(folder, "whole")));
  });

  test("asked to stop by a file", async () => {
    const { code, stdout, stderr } = await fewbit(folder, `${job} --epochs 1000 --out asked`, {
      interruptWhen: (text) => {
        if (/epoch +1\/1000/.test(text) && !existsSync(join(folder, "asked", "stop")))
          writeFileSync(join(folder, "asked", "stop"), "");
        return false;
      },
    });
    expect([code, stderr]).toEqual([130, ""]);
    expect(stdout).toMatch(/\nstopped on request and saved; go on with: npx fewbit train --resume asked\n$/);
    const begun = loadRun(join(folder, "asked")).metrics.length + 1;
    await succeeds(`train --resume asked --epochs ${begun}`);
    expect(existsSync(join(folder, "asked", "stop"))).toBe(false);
  });

  test("at its end, and then it stays as it is, whatever the process has otherwise", async () => {
    const before = listing(join(folder, "whole"));
    const { code, stdout, stderr } = await fewbit(folder, "train --resume whole --threads 1");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(
      "whole was done already, after its 3 epochs; to train it longer, add --epochs with a number above 3",
    );
    expect(listing(join(folder, "whole"))).toEqual(before);
    await succeeds("train --resume whole --log tensorboard");
    const added = listing(join(folder, "whole")).filter((line) => !before.includes(line));
    expect(added).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d+\.fewbit /)]);
  });

  test("interrupted in its first epoch", async () => {
    const { code, stdout } = await fewbit(folder, `${job} --epochs 3 --out early --json`, {
      // The first checkpoint is written before the first step.
      interruptWhen: () => existsSync(join(folder, "early", "checkpoint.safetensors")),
    });
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      interrupted: true,
      epochs: 0,
      bestTop1: null,
      directory: "early",
    });
    await succeeds("train --resume early");
    expect(digests(join(folder, "early"))).toEqual(digests(join(folder, "whole")));
  });
});

describe("a loss that is no longer a number", () => {
  test("ends with code 3, names the place and a remedy, and keeps the checkpoint", async () => {
    const { code, stdout, stderr } = await fewbit(
      folder,
      // Without a quantizer, whose tanh would bound the weights.
      `${training} --optimizer sgd --learning-rate 1e30 --out diverged`,
    );
    expect([code, stdout]).toEqual([
      3,
      "SGD, learning rate 1e+30, weight decay 0.0001 (weightDecay as published for Baseline 32/32 on MNIST)\n",
    ]);
    expect(stderr).toMatch(
      /^fewbit: the loss became (NaN|-?Infinity) in epoch 1, step \d+: try a learning rate below 1e\+30 in a new run; this one's last checkpoint is kept\n$/,
    );
    expect(readdirSync(join(folder, "diverged"))).not.toContain("lock");
    const evaluated = await fewbit(folder, "eval diverged --last");
    expect(evaluated).toMatchObject({ code: 0, stderr: "" });
    expect(evaluated.stdout).toMatch(/loss \d+\.\d{4}\nweights of epoch 0, the last/);
  });
});
