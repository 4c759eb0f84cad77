/** What `--dry-run` of `fewbit reproduce` and `fewbit sweep` says: each run, and the time, memory and disk that it takes here. */
import { dataSetNamed } from "../data/index.js";
import { counted, memoryText, printable } from "../errors.js";
import type { Estimate, Estimates, Standing } from "../experiments/index.js";
import { estimateRuns, grouped, isOpen } from "../experiments/index.js";
import { availableMemory } from "../machine.js";
import { bytesText, duration, pc, print, table } from "./text.js";

const month = 30 * 24 * 3600;

/**
 * Lists what would be run.
 *
 * @param code the files of code that a study loads; undefined for the published table, whose settings are flags.
 */
export async function showPlan(
  standings: readonly Standing[],
  threads: number,
  code: readonly string[] | undefined,
): Promise<void> {
  const spelled = code === undefined ? asFlag : asKey;
  const estimates = await estimateRuns(standings, threads);
  const seconds = (standing: Standing) => secondsLeft(standing, estimates.of.get(standing.run));
  const [head, ...rows] = table([
    ["run", "optimizer, rate", "epochs", "state", "time", "memory", "disk"],
    ...standings.map((standing) => {
      const { run, state, metrics, reason } = standing;
      const estimate = estimates.of.get(run);
      const left = seconds(standing);
      return [
        run.name,
        `${run.options.optimizer} ${run.options.learningRate}`,
        `${metrics.length}/${run.options.epochs}`,
        reason ?? state,
        left === undefined ? "" : duration(left),
        estimate === undefined ? "" : bytesText(estimate.memoryBytes),
        estimate === undefined ? "" : bytesText(estimate.diskBytes),
      ];
    }),
  ]);
  print([pc.dim(head), ...rows.map((row) => row.trimEnd())].join("\n"));
  const open = standings.filter(isOpen);
  const lines = [
    ...basisLines(estimates).map((line) => pc.dim(line)),
    ...memoryLines(open, estimates, spelled),
    ...longLines(
      open.filter((standing) => (seconds(standing) ?? 0) > month),
      spelled,
    ),
  ];
  if (lines.length > 0) print(lines.join("\n"));
  print(totalLine(standings, open.map(seconds), estimates));
  if (code !== undefined && code.length > 0)
    print(`code that the study loads: ${code.map(printable).join(", ")}`);
}

/** The rest of a run; undefined where that is not known. */
function secondsLeft({ run, metrics }: Standing, estimate: Estimate | undefined): number | undefined {
  const { epochSeconds } = estimate ?? {};
  return epochSeconds === undefined ? undefined : epochSeconds * (run.options.epochs - metrics.length);
}

/** Where the times come from. */
function basisLines({ of, measured, isCounted }: Estimates): string[] {
  if (of.size === 0) return [];
  const most = new Map(measured.map(({ network, images }) => [network, images]));
  const steps = [...most].map(([network, images]) => `${network} with ${counted(images, "image")}`);
  const here = steps.length === 0 ? [] : [`steps measured here (${steps.join(", ")})`];
  const peak = isCounted ? ["the machine's measured peak where no step was"] : [];
  return [
    "time: estimated from the operations and the bytes of each run's step, without the decoding of images,",
    `  and from ${[...here, ...peak].join(", and from ")}`,
    "memory: of a step, what is trained and the next batches; disk: a checkpoint and the best weights",
  ];
}

/** Which runs do not fit in memory, and what would make them fit. */
function memoryLines(open: readonly Standing[], { of }: Estimates, spelled: Spelled): string[] {
  const needed = ({ run }: Standing) => of.get(run)?.accumulate;
  const unfitting = open.filter((standing) => needed(standing) !== undefined);
  const available = memoryText(availableMemory());
  return grouped(unfitting, (standing) => String(needed(standing))).map(({ length, [0]: first }) => {
    const accumulate = needed(first);
    const what = `${counted(length, "run")} ${length === 1 ? "does" : "do"} not fit in the ${available} of memory available now`;
    if (accumulate === "none") return `${what}, in small batches of one image either`;
    return `${what}: ${spelled("accumulate", accumulate!)} makes ${length === 1 ? "it" : "them"} fit`;
  });
}

/** What would shorten runs that take months. */
function longLines(long: readonly Standing[], spelled: Spelled): string[] {
  if (long.length === 0) return [];
  const epochs = Math.min(...long.map(({ run }) => run.options.epochs));
  const tenths = [
    ...(epochs < 10 ? [] : [spelled("epochs", Math.round(epochs / 10))]),
    ...(long.some(({ run }) => run.options.data === "imagenet") ? [spelled("classes", 100)] : []),
  ];
  const isFitted = long.some(({ run }) => dataSetNamed(run.options.data)?.isFitted === true);
  const ways = [
    ...(tenths.length === 0 ? [] : [`${tenths.join(" or ")} takes a tenth of that`]),
    ...(isFitted ? [`${spelled("imageSize", 112)} about a quarter`] : []),
  ];
  const take = long.length === 1 ? "1 run takes over a month" : `${long.length} runs take over a month each`;
  return [ways.length === 0 ? take : `${take}: ${ways.join(", ")}`];
}

/** How a setting is given. */
type Spelled = (key: "epochs" | "classes" | "imageSize" | "accumulate", value: number | string) => string;
const asFlag: Spelled = (key, value) => `--${key === "imageSize" ? "image-size" : key} ${value}`;
const asKey: Spelled = (key, value) => `"${key}": ${value}`;

function totalLine(
  standings: readonly Standing[],
  seconds: readonly (number | undefined)[],
  { of }: Estimates,
): string {
  const total = seconds.reduce<number | undefined>(
    (sum, each) => (sum === undefined || each === undefined ? undefined : sum + each),
    0,
  );
  const time = total === undefined ? "how long is known after the first epoch" : `about ${duration(total)}`;
  const disk = [...of.values()].reduce((sum, { diskBytes }) => sum + diskBytes, 0);
  const what = `${counted(standings.length, "run")}, ${seconds.length} to do`;
  return seconds.length === 0 ? what : `${what}: ${time}, ${bytesText(disk)} on disk`;
}
