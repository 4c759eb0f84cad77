/** Shows a training under way: a bar on a terminal, one line per epoch elsewhere. */
import cliProgress from "cli-progress";
import type { TrainProgress } from "../training/index.js";
import { duration, isFancy, pc, percent, print } from "./text.js";

export interface Display {
  update(progress: TrainProgress): void;
  stop(): void;
}

/** `watched` names the images whose accuracy the line of an epoch shows: "test" or "held out". */
export function createDisplay(quiet: boolean, watched: string): Display {
  if (quiet) return { update: () => {}, stop: () => {} };
  return isFancy() ? bars(watched) : lines(watched);
}

/** The scores in the line of an epoch: of training so far, and of the watched images. */
function epochLine(trained: TrainProgress | undefined, ended: TrainProgress, watched: string): string {
  const width = String(ended.epochs).length;
  const left =
    ended.secondsLeft === undefined || ended.epoch === ended.epochs
      ? ""
      : `  ${duration(ended.secondsLeft)} left`;
  // A run that goes on after an epoch's last step has only its scores left to do.
  const speed =
    ended.imagesPerSecond > 0
      ? `  ${Math.round(ended.imagesPerSecond).toLocaleString("en-US")} images/s`
      : "";
  return (
    `epoch ${String(ended.epoch).padStart(width)}/${ended.epochs}` +
    `  loss ${(trained?.loss ?? NaN).toFixed(4)}  train ${percent(trained?.accuracy ?? NaN)}  ${watched} ${percent(ended.accuracy)}` +
    `${speed}${left}`
  );
}

function lines(watched: string): Display {
  let trained: TrainProgress | undefined;
  return {
    update(progress) {
      if (progress.phase !== "epoch") trained = progress;
      else print(epochLine(trained, progress, watched));
    },
    stop: () => {},
  };
}

function bars(watched: string): Display {
  const format = `{label} ${pc.cyan("{bar}")} {percentage}%  loss {loss}  {accuracy}  {speed} images/s  {left}`;
  const bar = new cliProgress.SingleBar({
    format,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 14,
    fps: 15,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    noTTYOutput: false,
  });
  let active = false;
  let trained: TrainProgress | undefined;
  const payload = (progress: TrainProgress) => ({
    label: `epoch ${progress.epoch}/${progress.epochs}`,
    loss: progress.loss.toFixed(3),
    accuracy: percent(progress.accuracy),
    speed: Math.round(progress.imagesPerSecond).toLocaleString("en-US"),
    left: progress.secondsLeft === undefined ? "" : `${duration(progress.secondsLeft)} left`,
  });
  return {
    update(progress) {
      if (progress.phase !== "epoch") trained = progress;
      if (progress.phase === "train") {
        if (!active) bar.start(progress.steps, 0, payload(progress));
        active = true;
        bar.update(progress.step, payload(progress));
      } else if (progress.phase === "epoch") {
        if (active) bar.stop();
        active = false;
        print(epochLine(trained, progress, watched));
      }
    },
    stop() {
      if (active) bar.stop();
      active = false;
    },
  };
}
