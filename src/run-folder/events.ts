/**
 * TensorBoard's event file of a run, which `--log tensorboard` keeps beside the run's own files.
 *
 * It follows from the lines of metrics and layers alone, so it is derived again when a run starts or is resumed. An
 * epoch is written after its checkpoint. Times are those of training: the file's beginning, which its name tells, and
 * the seconds of the epochs since.
 *
 * Messages: https://github.com/tensorflow/tensorboard, `tensorboard/compat/proto/event.proto`,
 * `summary.proto`, `histogram.proto` and `tensor.proto`.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { PbfWriter } from "pbf";
import { largest, readBytes } from "../files/read.js";
import { appendFlushed, isUnsharedFile, stage } from "../files/write.js";
import type { LayerLine } from "./layers.js";
import type { EpochMetrics } from "./metrics.js";
import { recordedOf } from "./recipe.js";
import type { RunConfig } from "./run.js";
import { isEventFile } from "./run.js";
import { encodeRecord } from "./tfrecord.js";

/** A named value of a summary. */
type Value =
  | { readonly tag: string; readonly scalar: number }
  | { readonly tag: string; readonly histogram: LayerLine["histogram"] }
  | { readonly tag: string; readonly text: string };

interface Event {
  readonly seconds: number;
  readonly step: number;
  /** The first event of a file holds its version instead. */
  readonly values: readonly Value[] | "brain.Event:2";
}

export class EventFile {
  private path = "";
  private seconds = 0;

  constructor(
    private readonly directory: string,
    private readonly config: RunConfig,
  ) {}

  /** Makes the file hold exactly these epochs. If it holds only the first of them, for example after a kill, the missing ones are appended. */
  begin(metrics: readonly EpochMetrics[], layers: readonly LayerLine[]): void {
    const trained = metrics.reduce((sum, { seconds }) => sum + seconds, 0);
    const begin = Math.floor(Date.now() / 1000 - trained);
    const name = readdirSync(this.directory).find(isEventFile) ?? `events.out.tfevents.${begin}.fewbit`;
    this.path = join(this.directory, name);
    this.seconds = Number(/\d+/.exec(name)?.[0]);
    const first: Event[] = [
      { seconds: this.seconds, step: 0, values: "brain.Event:2" },
      { seconds: this.seconds, step: 0, values: [{ tag: "configuration", text: inWords(this.config) }] },
    ];
    const epochs = metrics.map((line) => this.event(line, layers));
    const whole = Buffer.concat([...first, ...epochs].map(encode));
    const there = isUnsharedFile(this.path) ? readBytes(this.path, largest.lines) : undefined;
    if (there !== undefined && whole.subarray(0, there.length).equals(there)) {
      if (there.length < whole.length) appendFlushed(this.path, whole.subarray(there.length));
    } else {
      // TensorBoard would read another file with the same ending as a second event file.
      stage(this.path, whole, { temporary: join(this.directory, "events") })();
    }
  }

  /** Adds an epoch. */
  append(metrics: EpochMetrics, layers: readonly LayerLine[]): void {
    appendFlushed(this.path, encode(this.event(metrics, layers)));
  }

  private event(metrics: EpochMetrics, layers: readonly LayerLine[]): Event {
    this.seconds += metrics.seconds;
    const { epoch } = metrics;
    const own = layers.filter((line) => line.epoch === epoch);
    return {
      seconds: this.seconds,
      step: epoch,
      values: [...valuesOf(metrics), ...own.flatMap(valuesOfLayer)],
    };
  }
}

function valuesOf({
  trainLoss,
  trainTop1,
  split,
  loss,
  top1,
  top5,
  test,
  learningRate,
  seconds,
}: EpochMetrics) {
  const scores = (set: string, values: Readonly<Record<string, number>>): Value[] =>
    Object.entries(values).map(([name, scalar]) => ({ tag: `${set}/${name}`, scalar }));
  return [
    ...scores("train", { loss: trainLoss, top1: trainTop1 }),
    ...(split === "test" ? [] : scores(split, { loss, top1, top5 })),
    ...scores("test", { loss: test.loss, top1: test.top1, top5: test.top5 }),
    { tag: "learning_rate", scalar: learningRate },
    { tag: "seconds", scalar: seconds },
  ];
}

function valuesOfLayer({ layer, levels, sparsity, signFlips, histogram }: LayerLine): Value[] {
  return [
    ...(levels === null ? [] : [{ tag: `levels/${layer}`, scalar: levels }]),
    { tag: `sparsity/${layer}`, scalar: sparsity },
    { tag: `sign_flips/${layer}`, scalar: signFlips },
    { tag: `weights/${layer}`, histogram },
  ];
}

/** The recipe as indented code, which TensorBoard's Markdown leaves unchanged. */
const inWords = (config: RunConfig): string =>
  JSON.stringify(recordedOf(config), null, 2).replace(/^/gm, "    ");

function encode({ seconds, step, values }: Event): Uint8Array {
  const pbf = new PbfWriter();
  pbf.writeDoubleField(1, seconds);
  pbf.writeVarintField(2, step);
  if (typeof values === "string") pbf.writeStringField(3, values);
  else pbf.writeMessage(5, writeSummary, values);
  return encodeRecord(pbf.finish());
}

function writeSummary(values: readonly Value[], pbf: PbfWriter): void {
  for (const value of values) pbf.writeMessage(1, writeValue, value);
}

function writeValue(value: Value, pbf: PbfWriter): void {
  pbf.writeStringField(1, value.tag);
  if ("scalar" in value) pbf.writeFloatField(2, value.scalar);
  else if ("histogram" in value) pbf.writeMessage(5, writeHistogram, value.histogram);
  else {
    pbf.writeMessage(8, writeText, value.text);
    pbf.writeMessage(9, writePlugin, "text");
  }
}

/** Bucket i holds values up to its limit. Sums are those of values in the middle of their bins. */
function writeHistogram({ lowest, highest, counts }: LayerLine["histogram"], pbf: PbfWriter): void {
  const weights = counts.reduce((sum, count) => sum + count, 0);
  const width = (highest - lowest) / counts.length;
  const moment = (power: number) =>
    counts.reduce((sum, count, i) => sum + count * (lowest + (i + 0.5) * width) ** power, 0);
  // Equal weights are in the first bin, and all bins at one place.
  const [limits, buckets] =
    width > 0 ? [counts.map((_, i) => lowest + (i + 1) * width), [...counts]] : [[highest], [weights]];
  pbf.writeDoubleField(1, lowest);
  pbf.writeDoubleField(2, highest);
  pbf.writeDoubleField(3, weights);
  pbf.writeDoubleField(4, moment(1));
  pbf.writeDoubleField(5, moment(2));
  pbf.writePackedDouble(6, limits);
  pbf.writePackedDouble(7, buckets);
}

/** A tensor of type string (7) and shape [1]. */
function writeText(text: string, pbf: PbfWriter): void {
  pbf.writeVarintField(1, 7);
  pbf.writeMessage(
    2,
    (_, shape) => shape.writeMessage(2, (_size, dimension) => dimension.writeVarintField(1, 1), 0),
    0,
  );
  pbf.writeStringField(8, text);
}

/** Which of TensorBoard's plugins shows a tensor. */
function writePlugin(name: string, pbf: PbfWriter): void {
  pbf.writeMessage(1, (plugin, data) => data.writeStringField(1, plugin), name);
}
