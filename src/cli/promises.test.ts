/** What SECURITY.md promises of what is read for a stranger's run, and of the memory that it takes. */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeTensors, encodeTensors } from "../run-folder/index.js";
import { build, dorefa, fewbit, newFolder, training } from "./cli.test.fixture.js";
import { opened } from "./opened.test.fixture.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  build();
  folder = newFolder();
  expect(await fewbit(folder, `${training} ${dorefa} --epochs 1 --out sound`)).toMatchObject({ code: 0 });
  cpSync(join(import.meta.dirname, "../../docs/report.png"), at("digit.png"));
  mkdirSync(at("private"));
  for (const name of readdirSync(at("mnist"))) writeFileSync(at("private", name), "the master key is 0451");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the sound run with other contents of its files. */
function copy(name: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  cpSync(at("sound"), at(name), { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(at(name, file), content);
  return name;
}

interface Config {
  readonly options: object;
  readonly model: object;
}

function changed(change: (config: Config) => object): string {
  return JSON.stringify(change(JSON.parse(readFileSync(at("sound", "config.json"), "utf8")) as Config));
}

describe("of what a run's folder names elsewhere", () => {
  const named = (): string =>
    copy("naming", {
      "config.json": changed(({ options, ...config }) => ({
        ...config,
        options: { ...options, dataDir: at("private"), out: at("private") },
      })),
    });

  test.each([
    ["predict naming digit.png", ["digit.png"]],
    ["report naming", []],
  ])("%s opens nothing", async (command, given) => {
    const run = at(named());
    const { code, stderr, paths } = await opened(folder, command);
    expect(code, stderr).toBe(0);
    const outside = paths.filter((path) => path !== run && !path.startsWith(`${run}/`));
    expect(outside).toEqual(given.map((name) => at(name)));
  });

  test("eval opens the data set's files alone, and tells nothing of what they hold", async () => {
    const { code, stdout, stderr, paths } = await opened(folder, `eval ${named()}`);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(at("private"));
    expect(stderr).not.toContain("0451");
    const outside = paths.filter((path) => !path.startsWith(at("naming")));
    expect(outside).not.toEqual([]);
    for (const path of outside) expect(path.startsWith(at("private"))).toBe(true);
  });
});

describe("memory does not follow what files only claim", () => {
  /** A safetensors file with another header, of the same bytes. */
  const claiming = (header: object, data = new Uint8Array(0)): Uint8Array => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, data]);
  };
  const vast = { dtype: "F32", shape: [2 ** 20, 2 ** 20], data_offsets: [0, 2 ** 42] };
  const hostile: Readonly<Record<string, () => Readonly<Record<string, string | Uint8Array>>>> = {
    "a network for large images": () => ({
      "config.json": changed(({ model, ...config }) => ({
        ...config,
        model: { ...model, input: [65536, 65536, 1] },
      })),
    }),
    "a network of many classes": () => ({
      "config.json": changed(({ model, ...config }) => ({ ...config, model: { ...model, classes: 65536 } })),
    }),
    "a tensor of 4 TiB": () => ({ "best.safetensors": claiming({ weights: vast }) }),
    "a tensor of 4 TiB and nothing": () => ({
      "best.safetensors": claiming({ weights: { dtype: "F32", shape: [2 ** 41, 0], data_offsets: [0, 0] } }),
    }),
    "a header of 90 MB": () => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(90_000_000n);
      return { "best.safetensors": Buffer.concat([length, Buffer.from("{}")]) };
    },
    "weights of another, larger network": () => ({
      "best.safetensors": encodeTensors({
        tensors: { "parameters/fc1/w": { data: new Float32Array(2 ** 20), shape: [2 ** 20] } },
        metadata: { format: "fewbit weights", formatVersion: "1" },
      }),
    }),
  };

  test.each(Object.entries(hostile))("%s", async (name, files) => {
    const run = copy(name.replaceAll(/\W/g, "-"), files());
    const sound = await opened(folder, "predict sound digit.png");
    const { code, stdout, stderr, mebibytes } = await opened(folder, `predict ${run} digit.png`);
    expect([code, stdout], stderr).toEqual([2, ""]);
    expect(stderr).toMatch(/^fewbit: [^\n]*\n$/);
    expect(mebibytes).toBeLessThan(sound.mebibytes + 64);
    expect([0, 2]).toContain((await fewbit(folder, `report ${run}`)).code);
  });

  test("images of a size that the weights do not tell", async () => {
    const small = "train resnet --depth 8 --data cifar10-sample --epochs 1 --no-augment --quiet --out";
    expect(await fewbit(folder, `${small} resnet`)).toMatchObject({ code: 0 });
    const weights = readFileSync(at("resnet", "best.safetensors"));
    const { tensors, metadata } = decodeTensors(weights, "best.safetensors");
    const config = readFileSync(at("resnet", "config.json"), "utf8");
    const sound = await opened(folder, "predict resnet digit.png");
    expect(sound.code, sound.stderr).toBe(0);
    for (const side of [8192, 16_384, 65_536]) {
      const identity = metadata.identity.replace("32x32x3", `${side}x${side}x3`);
      expect(identity).not.toBe(metadata.identity);
      writeFileSync(
        at("resnet", "best.safetensors"),
        encodeTensors({ tensors, metadata: { ...metadata, identity } }),
      );
      const { model, ...rest } = JSON.parse(config) as Config;
      const claiming = { ...rest, model: { ...model, input: [side, side, 3] } };
      writeFileSync(at("resnet", "config.json"), JSON.stringify(claiming));
      for (const command of ["predict resnet digit.png", "eval resnet"]) {
        const { code, stdout, stderr, mebibytes } = await opened(folder, command);
        expect([code, stdout], stderr).toEqual([2, ""]);
        expect(stderr).toMatch(/^fewbit: one [^\n]* but at most 4\.0 GiB may be used[^\n]*\n$/);
        expect(mebibytes).toBeLessThan(sound.mebibytes + 64);
      }
    }
  });

  test("an image of 256 megapixels in 300 kB", async () => {
    const [width, height] = [16_000, 16_000];
    await sharp({ create: { width, height, channels: 3, background: "white" } })
      .greyscale()
      .toFile(at("bomb.png"));
    const sound = await opened(folder, "predict sound digit.png");
    const { code, stderr, mebibytes } = await opened(folder, "predict sound bomb.png");
    expect(code, stderr).toBe(0);
    expect(mebibytes).toBeLessThan(sound.mebibytes + 128);
  });
});
