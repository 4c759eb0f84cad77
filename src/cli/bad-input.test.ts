/** Mistakes: each is one clear line and exit code 2, with nothing on stdout and nothing changed on disk. */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, test } from "vitest";
import { build, dorefa, expectRefusal, newFolder, rewrite, training } from "./cli.test.fixture.js";

let folder: string;

beforeAll(() => {
  build();
  folder = newFolder();
  writeFileSync(join(folder, "notes.txt"), "not a folder");
  for (const [name, content] of Object.entries({ ...configFiles, ...methodFiles }))
    writeFileSync(join(folder, name), content);
  for (const [name, damage] of Object.entries(damagedData)) {
    cpSync(join(folder, "mnist"), join(folder, name), { recursive: true });
    damage(join(folder, name));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const images = "train-images-idx3-ubyte.gz";
const labels = "train-labels-idx1-ubyte.gz";

const damagedData: Readonly<Record<string, (data: string) => void>> = {
  cut: (data) => rewrite(join(data, images), (bytes) => gzipSync(gunzipSync(bytes).subarray(0, 5000))),
  halved: (data) => rewrite(join(data, images), (bytes) => bytes.subarray(0, bytes.length / 2)),
  flipped: (data) => rewrite(join(data, images), (bytes) => void (bytes[bytes.length - 5] ^= 1)),
  swapped(data) {
    const [first, second] = [images, labels].map((name) => readFileSync(join(data, name)));
    writeFileSync(join(data, images), second);
    writeFileSync(join(data, labels), first);
  },
  eleven(data) {
    rewrite(join(data, labels), (packed) => {
      const bytes = gunzipSync(packed);
      bytes[8 + 5] = 10;
      return gzipSync(bytes);
    });
  },
  mixed: (data) => cpSync(join(data, "t10k-labels-idx1-ubyte.gz"), join(data, labels)),
  page: (data) => writeFileSync(join(data, labels), "<html>not found</html>"),
  missing: (data) => rmSync(join(data, "t10k-images-idx3-ubyte.gz")),
};

const methodFiles: Record<string, string> = {
  "empty.mjs": "export const method = 1;",
  "broken.mjs": "export default #",
  "bare.mjs": 'import { quant } from "fewbit"; export default quant;',
  "bare.ts": 'import { quant } from "fewbit/web"; export default quant;',
  "hollow.mjs":
    "export default { weightBits: [32], activationBits: [32], create: () => ({ name: 'hollow' }) };",
  "angry.mjs":
    "export default { weightBits: [32], activationBits: [32], create() { throw new Error('no bits') } };",
  "greedy.mjs": "export default { weightBits: [1, 64], activationBits: [32], create: () => ({}) };",
};
const configFiles: Readonly<Record<string, string>> = {
  "torn.json": '{"model": "lenet5",',
  "array.json": '["lenet5"]',
  "key.json": '{"weigthBits": 1}',
  "text.json": '{"model": "lenet5", "method": "dorefa", "weightBits": "1", "activationBits": 2}',
  "null.json": '{"model": "lenet5", "epochs": null}',
  "augment.json": '{"model": "lenet5", "augment": "no"}',
  "number.json": '{"model": 5}',
  "folder.json": '{"model": "lenet5", "data": "mnist", "dataDir": "nowhere"}',
  "deep.json": `{"model": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
  "log.json": '{"model": "lenet5", "log": "tensorboard"}',
  "nul.json": '{"model": "lenet5", "out": "a\\u0000b"}',
  "empty.json": "{}",
};

const models = "alexnet, lenet5, resnet, resnet18, resnet20, resnet50, vgg16";

const refused = (args: string | readonly string[], message: string) => expectRefusal(folder, args, message);

describe("commands and flags that do not exist", () => {
  test.each([
    ["trian lenet5", "unknown command 'trian' (Did you mean train?); see fewbit --help"],
    ["--nope", "unknown option '--nope'; see fewbit --help"],
    [
      "train lenet5 --mehtod dorefa",
      "unknown option '--mehtod' (Did you mean --method?); see fewbit train --help",
    ],
    [
      "summary --model lenet5",
      "fewbit summary takes the network as an argument: give lenet5 in place of --model lenet5",
    ],
    ["train lenet5 --method", "option '--method <name>' argument missing; see fewbit train --help"],
    [
      "train lenet5 lenet6",
      "too many arguments for 'train'. Expected 1 argument but got 2; see fewbit train --help",
    ],
    ["train", "model is missing; name one, for example `fewbit train lenet5`"],
    ["eval", "missing required argument 'folder'; see fewbit eval --help"],
    ["eval run --weight-bits 3", "unknown option '--weight-bits'; see fewbit eval --help"],
    ["summary", "missing required argument 'model'; see fewbit summary --help"],
    ["start --epochs 3", "unknown option '--epochs'; see fewbit start --help"],
  ])("fewbit %s", refused);
});

describe("networks and methods", () => {
  const bits = "must be an integer from 1 to 8 or 32, got";
  test.each([
    [
      "train --config folder.json --depth 20",
      "depth has no effect on model lenet5; it goes with model resnet (from --depth)",
    ],
    [
      "summary resnet",
      "depth is needed for model resnet; give 18 or 34 for ImageNet, or 6n + 2 from 8 to 1202, such as 20, 32 or 56 (set it with --depth)",
    ],
    ...["30", "2", "1208", "20.5", "deep"].map((depth): [string, string] => [
      `train resnet --depth ${depth}`,
      `depth must be 18 or 34 for ImageNet, or 6n + 2 from 8 to 1202, such as 20, 32 or 56, got ${depth === "deep" ? '"deep"' : depth} (from --depth)`,
    ]),
    [
      "summary resnet20 --depth 20",
      "depth has no effect on model resnet20; it goes with model resnet (from --depth)",
    ],
    ["train vgg", `model must be one of ${models}, got "vgg"; did you mean vgg16? (from the command line)`],
    ["summary vgg", `model must be one of ${models}, got "vgg"; did you mean vgg16? (from the command line)`],
    [
      "train lenet5 --method lsq",
      'method must be one of baseline, qnn, dorefa, xnor, twn, ttq, got "lsq" (from --method)',
    ],
    ["train lenet5 --weight-bits 1", "weightBits must be 32 for baseline, got 1 (from --weight-bits)"],
    [
      "train lenet5 --activation-bits 8",
      "activationBits must be 32 for baseline, got 8 (from --activation-bits)",
    ],
    [
      "train lenet5 --method dorefa",
      "weightBits is needed for method dorefa; give an integer from 1 to 8 or 32 (set it with --weight-bits)",
    ],
    [
      "train lenet5 --method dorefa --weight-bits 1",
      "activationBits is needed for method dorefa; give an integer from 1 to 8 or 32 (set it with --activation-bits)",
    ],
    [
      "train lenet5 --method dorefa --weight-bits 0 --activation-bits 2",
      `weightBits ${bits} 0 (from --weight-bits)`,
    ],
    [
      "train lenet5 --method dorefa --weight-bits 9 --activation-bits 2",
      `weightBits ${bits} 9 (from --weight-bits)`,
    ],
    [
      "train lenet5 --method dorefa --weight-bits 1.5 --activation-bits 2",
      `weightBits ${bits} 1.5 (from --weight-bits)`,
    ],
    [
      "train lenet5 --method dorefa --weight-bits two --activation-bits 2",
      `weightBits ${bits} "two" (from --weight-bits)`,
    ],
    [
      "train lenet5 --method dorefa --weight-bits 1 --activation-bits -2",
      `activationBits ${bits} -2 (from --activation-bits)`,
    ],
    [
      "summary lenet5 --method dorefa --weight-bits 1 --activation-bits 16",
      `activationBits ${bits} 16 (from --activation-bits)`,
    ],
    [`train lenet5 ${dorefa} --gradient-bits 33`, `gradientBits ${bits} 33 (from --gradient-bits)`],
    [
      "train lennet5",
      `model must be one of ${models}, got "lennet5"; did you mean lenet5? (from the command line)`,
    ],
    [
      "train lenet5 --method dorfea",
      'method must be one of baseline, qnn, dorefa, xnor, twn, ttq, got "dorfea"; did you mean dorefa? (from --method)',
    ],
    [
      `train lenet5 ${dorefa} --preset redbite`,
      'preset must be "paper" or "redbit" for dorefa, got "redbite"; did you mean redbit? (from --preset)',
    ],
    [
      `train lenet5 ${dorefa} --preset fast`,
      'preset must be "paper" or "redbit" for dorefa, got "fast" (from --preset)',
    ],
    [
      "train lenet5 --method qnn --activation-bits 1",
      "weightBits is needed for method qnn; give an integer from 1 to 8 or 32 (set it with --weight-bits)",
    ],
    [
      "train lenet5 --method xnor",
      "activationBits is needed for method xnor; give 1 or 32 (set it with --activation-bits)",
    ],
    [
      "train lenet5 --method xnor --activation-bits 2",
      "activationBits must be 1 or 32 for xnor, got 2 (from --activation-bits)",
    ],
    [
      "train lenet5 --method xnor --activation-bits 1 --preset redbit --input-scale",
      "inputScale must be false for xnor with preset redbit, got true (from --input-scale)",
    ],
    [
      "summary lenet5 --method twn --weight-bits 3",
      "weightBits must be 2 or 32 for twn, got 3 (from --weight-bits)",
    ],
    [
      "train lenet5 --method ttq --activation-bits 8",
      "activationBits must be 32 for ttq, got 8 (from --activation-bits)",
    ],
    [
      "train lenet5 --method twn --gradient-bits 4",
      'twn has no option "gradientBits"; allowed are weightBits, activationBits, preset (from --gradient-bits)',
    ],
    [
      `train lenet5 ${dorefa} --relu-after-convolution`,
      'dorefa has no option "reluAfterConvolution"; allowed are weightBits, activationBits, preset, gradientBits (from --relu-after-convolution)',
    ],
    [
      `train lenet5 ${dorefa} --layer fc2=8`,
      '--layer must be NAME.weightBits=BITS or NAME.activationBits=BITS, such as fc2.weightBits=8, got "fc2=8"',
    ],
    [
      `train lenet5 ${dorefa} --layer fc9.weightBits=8`,
      'layers has "fc9", but the layers of lenet5 are conv1, conv2, fc1, fc2, fc3; did you mean fc1? (from --layer)',
    ],
    [
      `train resnet --depth 56 --data cifar10-sample ${dorefa} --layer stage1.blok1.conv1.weightBits=8`,
      'layers has "stage1.blok1.conv1", but the layers of resnet56 are conv1, stage1.block1.conv1, stage1.block1.conv2, ..., fc: 58, which fewbit summary lists; did you mean stage1.block1.conv1? (from --layer)',
    ],
    [
      `train lenet5 ${dorefa} --layer __proto__.weightBits=8`,
      'layers must be bits by layer, such as {"fc2": {"weightBits": 8}}, got {"__proto__":{"weightBits":8}} (from --layer)',
    ],
    [
      `summary lenet5 ${dorefa} --layer fc2.weightBits=9`,
      "weightBits must be an integer from 1 to 8 or 32 for dorefa, got 9 in layer fc2 (from --layer)",
    ],
    [
      "train lenet5 --method qnn --weight-bits 1 --activation-bits 1 --layer conv1.activationBits=8",
      "layers has conv1.activationBits 8, but qnn does not quantize the input of conv1 (from --layer)",
    ],
    [
      `train lenet5 ${dorefa} --layer fc2.weightBits=two`,
      'layers must be bits by layer, such as {"fc2": {"weightBits": 8}}, got {"fc2":{"weightBits":"two"}} (from --layer)',
    ],
    [
      "train lenet5 --method ./gone.mjs",
      "cannot load the method ./gone.mjs: there is no such file (from --method)",
    ],
    [
      "train lenet5 --method ./empty.mjs",
      "./empty.mjs must have a default export { title, weightBits, activationBits, create } (from --method)",
    ],
    [
      "summary lenet5 --method ./broken.mjs",
      "cannot load the method ./broken.mjs: Invalid or unexpected token (broken.mjs:1) (from --method)",
    ],
    ...["./bare.mjs", "./bare.ts"].map((file): [string, string] => [
      `summary lenet5 --method ${file}`,
      `cannot load the method ${file}: it imports fewbit, which is not installed there; in its folder, run npm install fewbit, or npm install PATH/TO/fewbit for a clone (from --method)`,
    ]),
    [
      "summary lenet5 --method ./greedy.mjs",
      "./greedy.mjs must list in weightBits the bits that it allows, each an integer from 1 to 8 or 32 (from --method)",
    ],
    [
      "summary lenet5 --method ./hollow.mjs --weight-bits 32 --activation-bits 32",
      'create() of ./hollow.mjs must return a Method, but its "options" is not of type object (from --method)',
    ],
    [
      "summary lenet5 --method ./angry.mjs --weight-bits 32 --activation-bits 32",
      "create() of ./angry.mjs fails: no bits (from --method)",
    ],
    [
      "summary lenet5 --method ./angry.mjs --weight-bits 32 --activation-bits 32 --preset redbit",
      'preset must be "paper" for ./angry.mjs, got "redbit" (from --preset)',
    ],
    ["methods --bits", "unknown option '--bits'; see fewbit methods --help"],
  ])("fewbit %s", refused);
});

describe("settings of the training", () => {
  test.each([
    [
      "train lenet5 --learning-rate -0.1",
      "learningRate must be a positive number, got -0.1 (from --learning-rate)",
    ],
    [
      "train lenet5 --learning-rate Infinity",
      "learningRate must be a positive number, got Infinity (from --learning-rate)",
    ],
    [
      "train lenet5 --optimizer Adm",
      'optimizer must be one of adam, adamw, sgd, got "Adm"; did you mean adam? (from --optimizer)',
    ],
    [
      "train lenet5 --optimizer rmsprop",
      'optimizer must be one of adam, adamw, sgd, got "rmsprop" (from --optimizer)',
    ],
    [
      "train lenet5 --optimizer adam --nesterov",
      "nesterov has no effect without optimizer sgd (from --nesterov)",
    ],
    [
      "train lenet5 --optimizer sgd --momentum 0 --nesterov",
      "nesterov needs a momentum above 0, got 0 (from --nesterov)",
    ],
    [
      "train lenet5 --betas 0.9,1",
      "betas must be two numbers from 0 to below 1, such as [0.9, 0.999], got [0.9,1] (from --betas)",
    ],
    [
      "train lenet5 --optimizer sgd --epsilon 1e-4",
      "epsilon has no effect without optimizer adam or adamw (from --epsilon)",
    ],
    ["train lenet5 --clip-norm 0", "clipNorm must be a positive number, got 0 (from --clip-norm)"],
    ["train lenet5 --momentum 1", "momentum must be a number from 0 to below 1, got 1 (from --momentum)"],
    [
      "train lenet5 --weight-decay -1",
      "weightDecay must be a number that is not negative, got -1 (from --weight-decay)",
    ],
    [
      "train lenet5 --decay-every 0.5",
      "decayEvery must be an integer from 0 to 1000000, got 0.5 (from --decay-every)",
    ],
    ["train lenet5 --decay-factor 0", "decayFactor must be a positive number, got 0 (from --decay-factor)"],
    [
      "train lenet5 --log tensorboard --log wandb",
      'log must be a list of one or more of tensorboard, each once, got ["tensorboard","wandb"] (from --log)',
    ],
    ["train lenet5 --epochs 0", "epochs must be an integer from 1 to 100000, got 0 (from --epochs)"],
    [
      "train lenet5 --optimizer adam --momentum 0.5",
      "momentum has no effect without optimizer sgd (from --momentum)",
    ],
    [
      `${training} --epochs 1 --gradients bf16`,
      "gradients bf16 has no effect with baseline at these bits: no layer multiplies codes; use gradients f32 (from --gradients)",
    ],
    [
      "train lenet5 --gradients f16",
      'gradients must be one of f32, bf16, got "f16"; did you mean bf16? (from --gradients)',
    ],
    [
      "train lenet5 --schedule cosine --decay-at 3",
      "decayAt has no effect with schedule cosine (from --decay-at)",
    ],
    [
      "train lenet5 --decay-every 2 --decay-at 3",
      "decayAt and decayEvery exclude each other; give one of them (from --decay-at)",
    ],
    [
      "train lenet5 --decay-at 60,30",
      "decayAt must be positive integers in ascending order, such as [30, 60, 80], got [60,30] (from --decay-at)",
    ],
    [
      "train lenet5 --schedule cosine --epochs 3 --warmup 3",
      "warmup must be below epochs, 3, with schedule cosine, got 3 (from --warmup)",
    ],
    ["train lenet5 --schedule step", "schedule step needs decayEvery or decayAt (from --schedule)"],
    ["train lenet5 --final-rate 0.1", "finalRate has no effect without schedule cosine (from --final-rate)"],
    [
      "train lenet5 --decay-factor 0.5",
      "decayFactor has no effect without decayEvery or decayAt (from --decay-factor)",
    ],
    [
      "train lenet5 --batch-size 0",
      "batchSize must be an integer from 1 to 65536, got 0 (from --batch-size)",
    ],
    [
      "train lenet5 --accumulate 3",
      "accumulate must divide batchSize 128, as 2 or 4 does, got 3 (from --accumulate)",
    ],
    ["train lenet5 --seed -1", "seed must be an integer from 0 to 9007199254740991, got -1 (from --seed)"],
    [
      `${training} --validation 256`,
      "validation must be an integer from 0 to 255, got 256 (from --validation)",
    ],
    [
      "train lenet5 --checkpoint-every -1",
      "checkpointEvery must be a number that is not negative, got -1 (from --checkpoint-every)",
    ],
    [
      "train lenet5 --checkpoint-every 15min",
      'checkpointEvery must be a number that is not negative, got "15min" (from --checkpoint-every)',
    ],
    [
      "train lenet5 --executor cuda",
      'executor must be one of native, wasm, reference, got "cuda" (from --executor)',
    ],
    ["train lenet5 --threads 0", "threads must be an integer from 1 to 64, got 0 (from --threads)"],
  ])("fewbit %s", refused);
});

describe("configuration files", () => {
  test.each([
    ["train --config nowhere.json", "cannot read nowhere.json: there is no such file (from --config)"],
    [
      "train --config torn.json",
      "torn.json is not JSON: it ends in line 1 where a name in double quotes should be (from --config)",
    ],
    [
      "train --config array.json",
      'array.json must hold one JSON object, such as {"model": "lenet5"} (from --config)',
    ],
    [
      "train --config key.json",
      'unknown key "weigthBits" (from key.json); allowed are model, depth, method, weightBits, activationBits, gradientBits, preset, reluAfterConvolution, inputScale, layers, data, dataDir, mirrors, imageSize, channels, imageMemory, imageThreads, skipDamaged, classes, augment, colorJitter, validation, optimizer, loss, learningRate, momentum, weightDecay, nesterov, betas, epsilon, schedule, warmup, finalRate, scheduleBy, decayAt, decayEvery, decayFactor, epochs, batchSize, accumulate, clipNorm, lastBatch, gradients, seed, initFrom, initSkip, freeze, checkpointEvery, threads, executor, log, out, bits; did you mean weightBits?',
    ],
    ["train --config text.json", 'weightBits must be an integer from 1 to 8 or 32, got "1" (from text.json)'],
    ["train --config null.json", "epochs must be an integer from 1 to 100000, got null (from null.json)"],
    [
      "train --config null.json --epochs 0",
      "epochs must be an integer from 1 to 100000, got 0 (from --epochs)",
    ],
    ["train --config deep.json", `model must be one of ${models}, got [...] (from deep.json)`],
    [
      "train --config log.json",
      'log must be a list of one or more of tensorboard, each once, got "tensorboard" (from log.json)',
    ],
    ["train --config nul.json", 'out must be a text that is not empty, got "a\\u0000b" (from nul.json)'],
    ["train --config augment.json", 'augment must be true or false, got "no" (from augment.json)'],
    ["train --config number.json", `model must be one of ${models}, got 5 (from number.json)`],
    [
      "train --config folder.json",
      "nowhere is not a directory; give the one that holds MNIST's four files (from folder.json)",
    ],
    ["train --config empty.json", "model is missing; name one, for example `fewbit train lenet5`"],
  ])("fewbit %s", refused);
});

describe("data", () => {
  const on = (data: string) => `train lenet5 --data mnist --data-dir ${data} --out new`;
  test.each([
    [
      "train lenet5 --data cifar",
      'data must be one of digits, mnist, fashion-mnist, kmnist, cifar10-sample, cifar10, imagenet, images, got "cifar"; did you mean cifar10? (from --data)',
    ],
    [
      "train lenet5 --data-dir mnist",
      'dataDir "mnist" goes with data mnist, fashion-mnist, kmnist, cifar10, imagenet or images, and not with the shipped digits (from --data-dir)',
    ],
    [
      on("nowhere"),
      "nowhere is not a directory; give the one that holds MNIST's four files (from --data-dir)",
    ],
    [
      on("notes.txt"),
      "notes.txt is not a directory; give the one that holds MNIST's four files (from --data-dir)",
    ],
    [
      on("missing"),
      "t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz is not in missing; fetch MNIST's four files there (from --data-dir)",
    ],
    [
      on("cut"),
      `cut/${images} is cut short: 256 images of 28x28 need 200720 bytes, it has 5000 (from --data-dir)`,
    ],
    [
      on("swapped"),
      `swapped/${images} should hold images but holds labels; the two files seem to be swapped (from --data-dir)`,
    ],
    [
      on("halved"),
      `cannot unpack halved/${images} as gzip: unexpected end of file; the file is corrupt or cut short, fetch it again (from --data-dir)`,
    ],
    [
      on("flipped"),
      `cannot unpack flipped/${images} as gzip: incorrect data check; the file is corrupt or cut short, fetch it again (from --data-dir)`,
    ],
    [on("eleven"), `eleven/${labels} has label 10 at position 5; labels are 0 to 9 (from --data-dir)`],
    [
      on("mixed"),
      `mixed/${images} has 256 images but mixed/${labels} has 64 labels; take both from one set (from --data-dir)`,
    ],
    [
      on("page"),
      `page/${labels} is not an IDX file of labels: it starts with 0x3c68746d instead of 0x00000801 (from --data-dir)`,
    ],
  ])("fewbit %s", refused);
});
