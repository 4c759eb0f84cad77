/** Shows the runs of a study under way: one bar per run on a terminal, one line per epoch elsewhere. */
import cliProgress from "cli-progress";
import type { Outcome, Standing } from "../experiments/index.js";
import type { TrainProgress } from "../training/index.js";
import { bestEpoch, watchedImages } from "../run-folder/index.js";
import { duration, isFancy, pc, percent, print, warn } from "./text.js";

export interface StudyDisplay {
  onBegin(standing: Standing): void;
  onProgress(standing: Standing, progress: TrainProgress): void;
  onEnd(outcome: Outcome): void;
  onWarning(standing: Standing, message: string): void;
  stop(): void;
}

/** `standings` has every run of the study; without it each event is printed as one line. */
export function createStudyDisplay(standings: readonly Standing[] | undefined, quiet: boolean): StudyDisplay {
  const onWarning = ({ run }: Standing, message: string): void => warn(`${run.name}: ${message}`);
  if (quiet) return { onBegin: () => {}, onProgress: () => {}, onEnd: () => {}, onWarning, stop: () => {} };
  return standings !== undefined && isFancy() ? bars(standings) : lines(onWarning);
}

const endText = (outcome: Outcome): string => {
  const { metrics, failure, stopped } = outcome;
  if (failure !== undefined) return failure;
  if (stopped) return `stopped on request after ${metrics.length} epochs`;
  return bestText(outcome) ?? "no epoch has ended yet";
};

/** The best epoch's test accuracy, and its accuracy on held-out images if it was chosen on these. */
function bestText({ run, metrics }: Standing): string | undefined {
  const best = bestEpoch(metrics);
  if (best === undefined) return undefined;
  const chosenOn = run.options.validation > 0 ? `held out ${percent(best.top1)}, ` : "";
  return `best epoch ${best.epoch}: ${chosenOn}test ${percent(best.test.top1)}`;
}

/** The accuracy of a progress and the images that it was measured on. */
function scoreText({ run }: Standing, { phase, accuracy }: TrainProgress): string {
  return `${phase === "epoch" ? watchedImages(run.options.validation) : "train"} ${percent(accuracy)}`;
}

function lines(onWarning: StudyDisplay["onWarning"]): StudyDisplay {
  return {
    onBegin: ({ run, state, metrics }) =>
      print(`${run.name}: ${state === "begun" ? `goes on after epoch ${metrics.length}` : "begins"}`),
    onProgress(standing, progress) {
      const { phase, epoch, epochs, secondsLeft } = progress;
      if (phase !== "epoch") return;
      const left = secondsLeft === undefined || epoch === epochs ? "" : `, ${duration(secondsLeft)} left`;
      print(`${standing.run.name}: epoch ${epoch}/${epochs}  ${scoreText(standing, progress)}${left}`);
    },
    onEnd: (outcome) => print(`${outcome.run.name}: ${endText(outcome)}`),
    onWarning,
    stop: () => {},
  };
}

function bars(standings: readonly Standing[]): StudyDisplay {
  const format = `{name}  ${pc.cyan("{bar}")} {epoch}  {accuracy}  {best}  {left}`;
  const all = new cliProgress.MultiBar({
    format,
    hideCursor: true,
    barsize: 14,
    fps: 8,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    noTTYOutput: false,
  });
  const width = Math.max(...standings.map(({ run }) => run.name.length));
  const own = new Map(
    standings.map((standing) => {
      const { run, state, metrics, reason } = standing;
      const bar = all.create(run.options.epochs, metrics.length, {
        name: run.name.padEnd(width),
        epoch: `${metrics.length}/${run.options.epochs}`,
        accuracy: reason ?? state,
        best: bestText(standing) ?? "",
        left: "",
      });
      return [run.identity, bar];
    }),
  );
  return {
    onBegin: ({ run }) => own.get(run.identity)?.update({ accuracy: "begins" }),
    onProgress(standing, progress) {
      const { phase, epoch, epochs, step, steps, secondsLeft } = progress;
      const left = secondsLeft === undefined ? "" : `${duration(secondsLeft)} left`;
      const done = phase === "train" ? epoch - 1 + step / steps : epoch;
      own
        .get(standing.run.identity)
        ?.update(done, { epoch: `${epoch}/${epochs}`, accuracy: scoreText(standing, progress), left });
    },
    onEnd: (outcome) =>
      own.get(outcome.run.identity)?.update(outcome.metrics.length, {
        accuracy: outcome.failure === undefined ? outcome.state : "failed",
        best: endText(outcome),
        left: "",
      }),
    onWarning: ({ run }, message) => all.log(`warning: ${run.name}: ${message}\n`),
    stop: () => all.stop(),
  };
}
