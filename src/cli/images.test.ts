/** Training on folders of images, and asking what the network sees in others. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, digests, fewbit, newFolder, training } from "./cli.test.fixture.js";
import { digitsOf, writeColour, writeDigits } from "./pictures.test.fixture.js";

let folder: string;
/** The 64 test digits as files, and the same in ink on paper. */
let files: string[];
let inked: string[];
let labels: number[];

beforeAll(async () => {
  build();
  folder = newFolder();
  const [train, test] = (["train", "t10k"] as const).map((set) => digitsOf(join(folder, "mnist"), set));
  const inside = async (paths: Promise<string[]>) => (await paths).map((path) => relative(folder, path));
  await writeDigits(join(folder, "digits/train"), train);
  files = await inside(writeDigits(join(folder, "digits/test"), test));
  inked = await inside(writeDigits(join(folder, "inked"), test, true));
  labels = test.map(({ label }) => label);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function output(args: string | readonly string[], errors = ""): Promise<string[]> {
  const { code, stdout, stderr } = await fewbit(folder, args);
  expect([code, stderr]).toEqual([0, errors]);
  return stdout.trimEnd().split("\n");
}

interface Answers {
  readonly directory: string;
  readonly weights: string;
  readonly epoch: number;
  readonly classes: string[];
  readonly predictions: { file: string; class: string; probability: number; probabilities: number[] }[];
}

async function predict(run: string, paths: readonly string[], ...flags: string[]): Promise<Answers> {
  const [line, ...more] = await output(["predict", run, ...paths, "--json", ...flags]);
  expect(more).toEqual([]);
  return JSON.parse(line) as Answers;
}

const percentRight = ({ predictions }: Answers) =>
  (100 * predictions.filter((answer, i) => answer.class === String(labels[i])).length) / labels.length;

const top1 = async (args: string) =>
  (JSON.parse((await output(`${args} --json`))[0]) as { top1: number }).top1;

const config = (run: string) =>
  JSON.parse(readFileSync(join(folder, run, "config.json"), "utf8")) as Record<string, unknown>;

const onDigits = "train lenet5 --data images --data-dir digits --batch-size 32 --quiet";

describe("digits as image files", () => {
  beforeAll(async () => {
    await output(`${onDigits} --epochs 6 --out run`);
    await output(`${training} --epochs 3 --quiet --out idx`);
  });

  test("are learned, and predict is right about as many as eval says", async () => {
    const answers = await predict("run", files);
    expect(answers).toMatchObject({ directory: "run", weights: "best", classes: [..."0123456789"] });
    expect(answers.predictions.map(({ file }) => file)).toEqual(files);
    expect(percentRight(answers)).toBe(await top1("eval run"));
    expect(percentRight(answers)).toBeGreaterThan(60);
    expect(percentRight(await predict("run", files, "--last"))).toBe(await top1("eval run --last"));
    for (const { probability, probabilities, class: name } of answers.predictions) {
      expect(probability).toBe(Math.max(...probabilities));
      expect(answers.classes[probabilities.indexOf(probability)]).toBe(name);
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
  });

  test("are prepared for a run on MNIST's files as these were", async () => {
    expect(percentRight(await predict("idx", files))).toBe(await top1("eval idx"));
    // The run's own preparation serves for another folder.
    expect(await top1("eval idx --data images --data-dir digits")).toBe(await top1("eval idx"));
  });

  test("in ink on paper want --invert, and get the same answers then", async () => {
    const { predictions } = await predict("run", files);
    const inverted = await predict("run", inked, "--invert");
    expect(inverted.predictions.map(({ probabilities }) => probabilities)).toEqual(
      predictions.map(({ probabilities }) => probabilities),
    );
    expect(percentRight(await predict("run", inked))).toBeLessThan(percentRight(inverted));
  });

  test("may be of any size, kind and name", async () => {
    const large = join(folder, "a large one.jpg");
    const [most] = (await predict("run", files)).predictions
      .slice()
      .sort((a, b) => b.probability - a.probability);
    await sharp(join(folder, most.file)).resize(300, 300).jpeg().toFile(large);
    expect((await predict("run", ["a large one.jpg"])).predictions[0].class).toBe(most.class);
  });

  test("get a line each: the best class, its probability, and the next two", async () => {
    const { predictions } = await predict("run", files.slice(0, 3));
    const lines = await output(["predict", "run", ...files.slice(0, 3)]);
    expect(lines).toHaveLength(3);
    lines.forEach((line, i) => {
      const { file, probabilities } = predictions[i];
      const ranked = probabilities.map((p, k) => [k, p]).sort(([, a], [, b]) => b - a);
      const [first, second, third] = ranked.map(([k, p]) => [k, `${(100 * p).toFixed(2)}%`].join(" "));
      expect(line.replace(/ +/g, " ")).toBe(`${file} ${first} ${second}, ${third}`);
    });
  });

  test("are the same for a run that goes on as for one without a break", async () => {
    await output(`${onDigits} --epochs 3 --out whole`);
    await output(`${onDigits} --epochs 1 --out broken`);
    await output("train --resume broken --epochs 3 --quiet");
    expect(digests(join(folder, "broken"))).toEqual(digests(join(folder, "whole")));
  });
});

describe("colours", () => {
  beforeAll(async () => {
    const hues = { "deep blue": [20, 30, 200], green: [20, 180, 30], red: [210, 30, 20] } as const;
    for (const [name, [r, g, b]] of Object.entries(hues)) {
      for (let i = 0; i < 20; i++) {
        await writeColour(join(folder, "hues", name, `${i}.png`), [r + i, g + i, b + i], [30 + i, 24]);
      }
    }
    writeFileSync(join(folder, "hues/red/list.txt"), "");
  });

  test("are a network's three channels, of the size and classes that the folder and the flags say", async () => {
    const warning = "warning: ignored in hues: 1 file (1 of .txt)\n";
    await output(
      "train lenet5 --data images --data-dir hues --image-size 16 --channels 3 --batch-size 18 --epochs 6 --color-jitter 0.1 --quiet --out hued",
      warning,
    );
    expect(config("hued")).toMatchObject({
      model: { name: "lenet5", input: [16, 16, 3], classes: 3 },
      data: { name: "images", augmentation: { cropPadding: 2, colorJitter: 0.1 } },
      preparation: { classNames: ["deep blue", "green", "red"] },
      options: { imageSize: 16, channels: 3 },
    });
    const [scored] = await output("eval hued", warning);
    expect(scored).toMatch(/^100\.00% of 6 test images of hues right/);
    const paths = ["hues/red/3.png", "hues/deep blue/4.png", "hues/green/5.png"];
    const { predictions } = await predict("hued", paths);
    expect(predictions.map((answer) => answer.class)).toEqual(["red", "deep blue", "green"]);
  });

  test("--image-memory says what may stay in memory, --image-threads how many are decoded at a time; the bits depend on neither", async () => {
    const ignored = "warning: ignored in hues: 1 file (1 of .txt)\n";
    const command =
      "train lenet5 --data images --data-dir hues --image-size 16 --channels 3 --batch-size 18 --quiet";
    await output(`${command} --epochs 2 --out kept`, ignored);
    const warning =
      "warning: the 60 images of hues take 45.0 KiB, more than 0.0 KiB: they are decoded again whenever they are needed\n";
    await output(`${command} --epochs 1 --image-memory 0 --out decoded`, ignored + warning);
    await output("train --resume decoded --epochs 2 --image-threads 16 --quiet", ignored + warning);
    expect(readFileSync(join(folder, "decoded/best.safetensors"))).toEqual(
      readFileSync(join(folder, "kept/best.safetensors")),
    );
    const { code, stderr } = await fewbit(folder, "train lenet5 --image-memory 9");
    expect([code, stderr]).toEqual([
      2,
      "fewbit: imageMemory has no effect without data images (from --image-memory)\n",
    ]);
    const folderOfHues = "--data images --data-dir hues";
    for (const [flags, message] of [
      [
        "--image-threads 2",
        "imageThreads has no effect without data images or imagenet (from --image-threads)",
      ],
      [
        `${folderOfHues} --image-threads 17`,
        "imageThreads must be an integer from 1 to 16, got 17 (from --image-threads)",
      ],
      [
        `${folderOfHues} --color-jitter 2`,
        "colorJitter must be a number above 0, at most 1, got 2 (from --color-jitter)",
      ],
      [
        `${folderOfHues} --color-jitter 0.4 --no-augment`,
        "colorJitter has no effect without data images or imagenet, and augmentation (from --color-jitter)",
      ],
    ]) {
      expect(await fewbit(folder, `train lenet5 ${flags}`)).toMatchObject({
        code: 2,
        stderr: `fewbit: ${message}\n`,
      });
    }
  });

  test("--skip-damaged trains without damaged files, and says how many they are", async () => {
    const file = join(folder, "hues/red/2.png");
    const bytes = readFileSync(file);
    writeFileSync(file, "no image");
    const command =
      "train lenet5 --data images --data-dir hues --image-size 16 --channels 3 --batch-size 18 --epochs 1 --skip-damaged --out left";
    try {
      const warnings =
        "warning: ignored in hues: 1 file (1 of .txt)\nwarning: hues/red/2.png is left out: its format is unknown\n";
      const lines = await output(`${command} --quiet`, warnings);
      expect(lines.join("\n")).toContain("\n1 damaged image left out of the last epoch\n");
      await output("eval left", "warning: ignored in hues: 1 file (1 of .txt)\n");
    } finally {
      writeFileSync(file, bytes);
    }
  });

  test("--profile and --validation know the network that was made for them", async () => {
    const { code, stdout } = await fewbit(
      folder,
      "train lenet5 --data images --data-dir hues --image-size 16 --channels 3 --batch-size 18 --epochs 1 --validation 10 --profile --json --out profiled",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ chosenOn: "validation", epochs: 1 });
  });

  test("are scored on another folder with some of their classes", async () => {
    mkdirSync(join(folder, "other"));
    await writeColour(join(folder, "other/test/red/a.png"), [215, 35, 25]);
    await writeColour(join(folder, "other/test/green/a.png"), [25, 185, 35]);
    const [scored] = await output("eval hued --data-dir other");
    expect(scored).toMatch(/^100\.00% of 2 test images of other right/);
    // All of a folder that tells none apart; of the run's own, moved or not, those that it held out.
    cpSync(join(folder, "other/test"), join(folder, "bare"), { recursive: true });
    expect((await output("eval hued --data-dir bare"))[0]).toMatch(/^100\.00% of 2 images of bare right/);
    cpSync(join(folder, "hues"), join(folder, "moved"), { recursive: true });
    const warning = "warning: ignored in moved: 1 file (1 of .txt)\n";
    expect((await output("eval hued --data-dir moved", warning))[0]).toMatch(
      /^100\.00% of 6 test images of moved/,
    );
  });
});
