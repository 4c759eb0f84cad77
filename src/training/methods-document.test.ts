/**
 * best.safetensors, read by docs/methods.md and docs/runs.md alone: a file format, plain loops in double, and
 * the formulas of the page. It gives the answers that fewbit gives.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { datasets } from "../data/index.js";
import type { ImageSet } from "../data/index.js";
import { models } from "../models/index.js";
import { adam } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { dorefa, qnn, ttq, twn, xnor } from "../quantization/index.js";
import { classify } from "./evaluate.js";
import { methodChanges } from "../run-folder/index.js";
import { train } from "./train.js";

// --- the file ------------------------------------------------------------------------------------

interface Stored {
  shape: number[];
  data: Float32Array;
}

function readTensors(path: string): (name: string) => Stored {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  type Entry = { shape: number[]; data_offsets: [number, number] };
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, Entry>;
  return (name) => {
    const { shape, data_offsets: offsets } = header[name];
    const [from, to] = offsets.map((offset) => 8 + length + offset);
    return {
      shape,
      data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + to)),
    };
  };
}

// --- the parts of a network, of one image --------------------------------------------------------

/** [rows, columns, channels], row-major; a vector is [1, 1, channels]. */
interface Values {
  rows: number;
  columns: number;
  channels: number;
  data: ArrayLike<number>;
}
type Each = (x: number) => number;

const map = (x: Values, f: (value: number, channel: number) => number): Values => ({
  ...x,
  data: Float64Array.from(x.data, (value, i) => f(value, i % x.channels)),
});
const add = (a: Values, b: Values): Values => ({
  ...a,
  data: Float64Array.from(a.data, (value, i) => value + b.data[i]),
});
const relu: Each = (x) => Math.max(x, 0);
const clip = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
/** Half to even. */
function round(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

function convolve(x: Values, w: ArrayLike<number>, shape: number[], stride: number, padding: number): Values {
  const [height, width, inputs, outputs] = shape;
  const rows = Math.floor((x.rows + 2 * padding - height) / stride) + 1;
  const columns = Math.floor((x.columns + 2 * padding - width) / stride) + 1;
  const data = new Float64Array(rows * columns * outputs);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      for (let i = 0; i < height; i++)
        for (let j = 0; j < width; j++) {
          const [row, column] = [r * stride + i - padding, c * stride + j - padding];
          if (row < 0 || column < 0 || row >= x.rows || column >= x.columns) continue;
          for (let a = 0; a < inputs; a++) {
            const value = x.data[(row * x.columns + column) * inputs + a];
            for (let o = 0; o < outputs; o++)
              data[(r * columns + c) * outputs + o] +=
                value * w[((i * width + j) * inputs + a) * outputs + o];
          }
        }
  return { rows, columns, channels: outputs, data };
}

function pool(x: Values, size: number, maximum: boolean): Values {
  const [rows, columns] = [Math.floor(x.rows / size), Math.floor(x.columns / size)];
  const data = new Float64Array(rows * columns * x.channels);
  data.forEach((_, i) => {
    const [c, column, row] = [
      i % x.channels,
      Math.floor(i / x.channels) % columns,
      Math.floor(i / x.channels / columns),
    ];
    const window = Array.from({ length: size * size }, (_, k) => {
      const [y, z] = [row * size + Math.floor(k / size), column * size + (k % size)];
      return x.data[(y * x.columns + z) * x.channels + c];
    });
    data[i] = maximum ? Math.max(...window) : window.reduce((a, b) => a + b) / (size * size);
  });
  return { rows, columns, channels: x.channels, data };
}

/** In the order channel, row, column. */
function flatten({ rows, columns, channels, data }: Values): Values {
  const pixels = rows * columns;
  const order = Float64Array.from(
    { length: data.length },
    (_, i) => data[(i % pixels) * channels + Math.floor(i / pixels)],
  );
  return { rows: 1, columns: 1, channels: data.length, data: order };
}

// --- the page ------------------------------------------------------------------------------------

interface Options {
  weightBits: number;
  activationBits: number;
  preset: string;
  reluAfterConvolution?: boolean;
}

/** A network's forward pass in evaluation; `classes` logits of one image. */
class Reader {
  constructor(
    private readonly tensor: (name: string) => Stored,
    private readonly method: string,
    private readonly options: Options,
    private readonly eps: number,
    private readonly last: string,
  ) {}

  private get isRedbit(): boolean {
    return this.options.preset === "redbit";
  }

  private sign = (x: number): number => (x > 0 ? 1 : x < 0 ? -1 : this.isRedbit ? 0 : 1);

  /** Whether a layer stays in full precision. */
  private isFull(layer: string): boolean {
    return ["dorefa", "xnor", "ttq"].includes(this.method) && (layer === "conv1" || layer === this.last);
  }

  private readonly made = new Map<string, Stored>();
  private weights(layer: string): Stored {
    const known = this.made.get(layer) ?? this.quantizedWeights(layer);
    this.made.set(layer, known);
    return known;
  }

  private quantizedWeights(layer: string): Stored {
    const { shape, data: w } = this.tensor(`parameters/${layer}.weight`);
    const k = this.options.weightBits;
    if (this.isFull(layer) || k === 32) return { shape, data: w };
    const outputs = shape.at(-1)!;
    const sizes = w.map(Math.abs);
    const mean = (of: ArrayLike<number>): number => Array.from(of).reduce((a, b) => a + b, 0) / of.length;
    const largest = sizes.reduce((a, b) => Math.max(a, b));
    const made = ((): ((x: number, i: number) => number) => {
      switch (this.method) {
        case "qnn": {
          const [n, m] = [2 ** (k - 1), this.isRedbit ? largest : 1];
          return (x) => (k === 1 ? this.sign(x) : (m * clip(round((n * x) / m), -n, n - 1)) / n);
        }
        case "dorefa": {
          const [n, e, most] = [2 ** k - 1, mean(sizes), Math.tanh(largest)];
          return (x) =>
            k === 1 ? e * this.sign(x) : (2 * round(n * (Math.tanh(x) / (2 * most) + 0.5))) / n - 1;
        }
        case "xnor": {
          const alphas = new Float64Array(outputs);
          sizes.forEach((size, i) => (alphas[i % outputs] += (size * outputs) / sizes.length));
          return (x, i) => alphas[i % outputs] * this.sign(x);
        }
        case "twn": {
          const delta = 0.7 * mean(sizes);
          const alpha = mean(sizes.filter((size) => size > delta));
          return (x) => (x > delta ? alpha : x < -delta ? -alpha : 0);
        }
        default: {
          const [p, n] = ["positive", "negative"].map(
            (own) => this.tensor(`parameters/${layer}.own.${own}`).data[0],
          );
          const delta = 0.05 * largest;
          return (x) => (x > delta ? p : x < -delta ? -n : 0);
        }
      }
    })();
    return { shape, data: w.map(made) };
  }

  /** [q]: the input of a layer. */
  private quantized(layer: string, y: Values): Values {
    const k = this.options.activationBits;
    if (this.isFull(layer) || k === 32 || (this.method === "qnn" && layer === "conv1")) return y;
    if (this.method === "xnor" || (this.method === "qnn" && k === 1)) return map(y, this.sign);
    if (this.method === "qnn") {
      const n = 2 ** (k - 1);
      return map(y, (x) => clip(round(n * x), -n, n - 1) / n);
    }
    const n = 2 ** k - 1;
    return map(y, (x) => round(n * clip(x, 0, 1)) / n);
  }

  layer(name: string, x: Values, stride = 1, padding = 0): Values {
    const { shape, data } = this.weights(name);
    const window = shape.length === 4 ? shape : [1, 1, ...shape];
    return convolve(this.quantized(name, x), data, window, stride, padding);
  }

  norm(name: string, x: Values, affine = true): Values {
    const [mean, variance] = ["mean", "variance"].map(
      (kind) => this.tensor(`statistics/${name}.${kind}`).data,
    );
    const [scale, shift] = affine
      ? ["scale", "shift"].map((kind) => this.tensor(`parameters/${name}.${kind}`).data)
      : [];
    return map(
      x,
      (value, c) =>
        ((value - mean[c]) / Math.sqrt(variance[c] + this.eps)) * (scale?.[c] ?? 1) + (shift?.[c] ?? 0),
    );
  }

  /** [act], after a layer. */
  act(after: string, x: Values, isBeforeLast = false): Values {
    const { activationBits, reluAfterConvolution } = this.options;
    if (this.method === "qnn" && activationBits < 32) return map(x, (value) => clip(value, -1, 1));
    if (this.method === "xnor" && !this.isFull(after) && reluAfterConvolution !== true) return x;
    const limited = this.method === "dorefa" && isBeforeLast && activationBits < 32 && !this.isRedbit;
    return map(x, limited ? (value) => clip(value, 0, 1) : relu);
  }

  lenet5(image: Values): Values {
    const pooled = (x: Values) => pool(x, 2, this.method !== "dorefa");
    let x = pooled(this.act("conv1", this.norm("bn1", this.layer("conv1", image), false)));
    if (this.method === "xnor") {
      x = pooled(this.act("conv2", this.layer("conv2", this.norm("bn2", x))));
      x = this.act("fc1", this.layer("fc1", this.norm("bn3", flatten(x))));
      x = this.act("fc2", this.layer("fc2", this.norm("bn4", x)));
    } else {
      x = pooled(this.act("conv2", this.norm("bn2", this.layer("conv2", x))));
      x = this.act("fc1", this.norm("bn3", this.layer("fc1", flatten(x))));
      x = this.act("fc2", this.norm("bn4", this.layer("fc2", x)), true);
    }
    return this.layer("fc3", x);
  }

  resnet20(image: Values): Values {
    let x = this.act("conv1", this.norm("bn1", this.layer("conv1", image, 1, 1)));
    for (let stage = 1; stage <= 3; stage++)
      for (let block = 1; block <= 3; block++)
        x = this.block(`stage${stage}.block${block}`, x, stage > 1 && block === 1 ? 2 : 1);
    return this.layer("fc", pool(x, x.rows, false));
  }

  private block(name: string, x: Values, stride: number): Values {
    const [conv1, conv2, bn1, bn2] = ["conv1", "conv2", "bn1", "bn2"].map((part) => `${name}.${part}`);
    const [shortcut, shortcutNorm] = [`${name}.shortcut`, `${name}.shortcutNorm`];
    const changes = stride > 1;
    if (this.method === "dorefa") {
      const y = this.layer(conv1, map(this.norm(bn1, x), relu), stride, 1);
      const z = this.layer(conv2, map(this.norm(bn2, y), relu), 1, 1);
      return add(z, changes ? this.norm(shortcutNorm, this.layer(shortcut, x, stride)) : x);
    }
    if (this.method === "xnor") {
      const y = this.act(conv1, this.layer(conv1, this.norm(bn1, x), stride, 1));
      const z = this.layer(conv2, this.norm(bn2, y), 1, 1);
      return this.act(conv2, add(z, changes ? this.layer(shortcut, this.norm(shortcutNorm, x), stride) : x));
    }
    const y = this.act(conv1, this.norm(bn1, this.layer(conv1, x, stride, 1)));
    const z = this.norm(bn2, this.layer(conv2, y, 1, 1));
    return this.act(conv2, add(z, changes ? this.norm(shortcutNorm, this.layer(shortcut, x, stride)) : x));
  }
}

// --- the comparison ------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), "fewbit-methods-"));
afterAll(() => rmSync(folder, { recursive: true }));

const first = ({ images, labels }: ImageSet, count: number, size: number) => ({
  images: images.subarray(0, count * size),
  labels: labels.subarray(0, count),
  count,
});

describe("a reader of the page gives the network's answers", () => {
  const cases: ["lenet5" | "resnet20", Method][] = [
    ["lenet5", qnn({ weightBits: 3, activationBits: 2 })],
    ["lenet5", qnn({ weightBits: 2, activationBits: 32, preset: "redbit" })],
    ["lenet5", dorefa({ weightBits: 2, activationBits: 4 })],
    ["lenet5", dorefa({ weightBits: 1, activationBits: 8, preset: "redbit" })],
    ["lenet5", xnor()],
    ["lenet5", xnor({ preset: "redbit" })],
    ["lenet5", twn()],
    ["lenet5", ttq()],
    ["resnet20", qnn({ weightBits: 8, activationBits: 32 })],
    ["resnet20", dorefa({ weightBits: 2, activationBits: 32 })],
    ["resnet20", xnor({ activationBits: 32 })],
    ["resnet20", ttq()],
  ];
  const titled = cases.map(([name, method]) => ({
    name,
    method,
    title: `${name}, ${method.name} ${JSON.stringify(method.options)}`,
  }));
  test.each(titled)("$title", async ({ name, method }) => {
    const model = models[name];
    const whole = await (name === "lenet5" ? datasets.digits() : datasets.cifar10Sample());
    const [height, width, channels] = whole.shape;
    const size = height * width * channels;
    const [trained, asked] = name === "lenet5" ? [320, 12] : [32, 2];
    const data = {
      ...whole,
      train: first(whole.train, trained, size),
      test: first(whole.test, asked, size),
      augmentation: undefined,
    };
    const directory = join(folder, "run");
    const { weights } = await train({
      model,
      method,
      data,
      directory,
      overwrite: true,
      threads: 2,
      optimizer: adam({ learningRate: 0.001 }),
      epochs: 1,
      batchSize: 16,
    });

    const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as {
      method: { name: string; options: Options };
      preparation: { mean: number[]; std: number[] };
    };
    const { mean, std } = config.preparation;
    const defaults = { weightBits: 32, activationBits: 32 };
    const [eps, last] = name === "lenet5" ? [1e-4, "fc3"] : [1e-5, "fc"];
    const options = { ...defaults, ...config.method.options };
    const reader = new Reader(
      readTensors(join(directory, "best.safetensors")),
      config.method.name,
      options,
      eps,
      last,
    );
    const answers = await classify(
      { model, method, weights },
      data,
      Array.from({ length: asked }, (_, i) => i),
    );
    answers.forEach(({ probabilities, answer }, i) => {
      const pixels = data.test.images.subarray(i * size, (i + 1) * size);
      const image = map(
        { rows: height, columns: width, channels, data: pixels },
        (x, c) => (x / 255 - mean[c]) / std[c],
      );
      const logits = Array.from(reader[name](image).data);
      const highest = Math.max(...logits);
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
      expect(logits.indexOf(highest)).toBe(answer);
      logits.forEach((logit, k) => expect(Math.exp(logit - highest) / sum).toBeCloseTo(probabilities[k], 3));
    });
  });
});

test("the page lists the changes of what methods compute", () => {
  const page = readFileSync(new URL("../../docs/methods.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (\d+) +\| (.*?) +\| (answers|training) +\|$/gm)];
  expect(rows.map(([, revision, what, touches]) => ({ revision: Number(revision), what, touches }))).toEqual(
    methodChanges.map(({ revision, what, touches }) => ({ revision, what, touches })),
  );
});
