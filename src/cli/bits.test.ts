/** --bits, and `bits` in files: both widths in one word. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";

let folder: string;
const put = (name: string, value: object): void => writeFileSync(join(folder, name), JSON.stringify(value));
beforeAll(() => {
  build();
  folder = newFolder();
  put("bits.json", { $schema: "schema/config.json", model: "lenet5", method: "dorefa", bits: "w1a2" });
  put("both.json", { model: "lenet5", method: "dorefa", bits: "1/2", weightBits: 1 });
  put("wrong.json", { model: "lenet5", method: "dorefa", bits: [1, 2] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const summary = (flags: string) => fewbit(folder, `summary lenet5 --method dorefa --json ${flags}`);

test("they are those of weights and of activations", async () => {
  const apart = await summary("--weight-bits 1 --activation-bits 2");
  expect(apart.code).toBe(0);
  expect(await summary("--bits 1/2")).toEqual(apart);
  expect(await summary("--bits w1a2")).toEqual(apart);
  expect(await summary("--bits 2/1")).not.toEqual(apart);
});

test("flags are over a file's, one by one or both", async () => {
  const bitsWith = async (flags: string): Promise<unknown[]> => {
    const words = `train --config bits.json --data mnist --data-dir mnist --epochs 1 --quiet --overwrite --out run ${flags}`;
    expect(await fewbit(folder, words)).toMatchObject({ code: 0, stderr: "" });
    const { method } = JSON.parse(readFileSync(join(folder, "run", "config.json"), "utf8")) as {
      method: { options: Record<string, unknown> };
    };
    return [method.options.weightBits, method.options.activationBits];
  };
  expect(await bitsWith("")).toEqual([1, 2]);
  expect(await bitsWith("--bits 2/4")).toEqual([2, 4]);
  expect(await bitsWith("--weight-bits 4")).toEqual([4, 2]);
});

test.each([
  [
    "train lenet5 --method dorefa --bits 1-2",
    'bits must be WEIGHTS/ACTIVATIONS, such as "2/4" or "w2a4", got "1-2" (from --bits)',
  ],
  [
    "train lenet5 --method dorefa --bits 1/2 --weight-bits 1",
    'bits "1/2" and weightBits or activationBits exclude each other (from --bits)',
  ],
  [
    "train lenet5 --method dorefa --bits 9/2",
    "weightBits must be an integer from 1 to 8 or 32, got 9 (from --bits)",
  ],
  [
    "train --config both.json",
    'bits "1/2" and weightBits or activationBits exclude each other (from both.json)',
  ],
  [
    "train --config wrong.json",
    'bits must be WEIGHTS/ACTIVATIONS, such as "2/4" or "w2a4", got [1,2] (from wrong.json)',
  ],
])("%s is refused", async (words, message) => {
  await expectRefusal(folder, words, message);
});

test("a run goes on with the bits that it was started with", async () => {
  const begun =
    "train lenet5 --data mnist --data-dir mnist --method dorefa --batch-size 64 --bits 1/2 --quiet";
  expect(await fewbit(folder, `${begun} --epochs 1 --out begun`)).toMatchObject({ code: 0 });
  expect(await fewbit(folder, "train --resume begun --bits w1a2 --epochs 2 --quiet")).toMatchObject({
    code: 0,
  });
  await expectRefusal(
    folder,
    "train --resume begun --bits 2/2 --epochs 3",
    "weightBits is 2, but begun was started with 1; resume it with the same, or start another run (from --bits)",
  );
});
