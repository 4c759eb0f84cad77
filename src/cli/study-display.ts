/** Shows the runs of a study under way: a bar a run on a terminal, a line an epoch elsewhere. */
import cliProgress from "cli-progress";
import type { Outcome, Standing } from "../experiments/index.js";
import type { TrainProgress } from "../training/index.js";
import { bestEpoch } from "../training/metrics.js";
import { duration, isFancy, pc, percent, warn } from "./text.js";

export interface StudyDisplay {
  onBegin(standing: Standing): void;
  onProgress(standing: Standing, progress: TrainProgress): void;
  onEnd(outcome: Outcome): void;
  onWarning(standing: Standing, message: string): void;
  stop(): void;
}

/** `standings` are those of all runs that there will be; without them each event is a line. */
export function createStudyDisplay(standings: readonly Standing[] | undefined, quiet: boolean): StudyDisplay {
  const onWarning = ({ run }: Standing, message: string): void => warn(`${run.name}: ${message}`);
  if (quiet) return { onBegin: () => {}, onProgress: () => {}, onEnd: () => {}, onWarning, stop: () => {} };
  return standings !== undefined && isFancy() ? bars(standings) : lines(onWarning);
}

const endText = ({ metrics, failure, stopped }: Outcome): string => {
  const best = bestEpoch(metrics);
  if (failure !== undefined) return failure;
  if (stopped) return `stopped on request after ${metrics.length} epochs`;
  return best === undefined
    ? "no epoch has ended yet"
    : `best ${percent(best.test.top1)} after epoch ${best.epoch}`;
};

function lines(onWarning: StudyDisplay["onWarning"]): StudyDisplay {
  return {
    onBegin: ({ run, state, metrics }) =>
      console.log(`${run.name}: ${state === "begun" ? `goes on after epoch ${metrics.length}` : "begins"}`),
    onProgress({ run }, { phase, epoch, epochs, accuracy, secondsLeft }) {
      if (phase !== "epoch") return;
      const left = secondsLeft === undefined || epoch === epochs ? "" : `, ${duration(secondsLeft)} left`;
      console.log(`${run.name}: epoch ${epoch}/${epochs}  ${percent(accuracy)}${left}`);
    },
    onEnd: (outcome) => console.log(`${outcome.run.name}: ${endText(outcome)}`),
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
    standings.map(({ run, state, metrics, reason }) => {
      const best = bestEpoch(metrics);
      const bar = all.create(run.options.epochs, metrics.length, {
        name: run.name.padEnd(width),
        epoch: `${metrics.length}/${run.options.epochs}`,
        accuracy: reason ?? state,
        best: best === undefined ? "" : `best ${percent(best.test.top1)}`,
        left: "",
      });
      return [run.identity, bar];
    }),
  );
  return {
    onBegin: ({ run }) => own.get(run.identity)?.update({ accuracy: "begins" }),
    onProgress({ run }, { phase, epoch, epochs, step, steps, accuracy, secondsLeft }) {
      const left = secondsLeft === undefined ? "" : `${duration(secondsLeft)} left`;
      const done = phase === "train" ? epoch - 1 + step / steps : epoch;
      own.get(run.identity)?.update(done, { epoch: `${epoch}/${epochs}`, accuracy: percent(accuracy), left });
    },
    onEnd: (outcome) =>
      own.get(outcome.run.identity)?.update(outcome.metrics.length, {
        ...{
          accuracy: outcome.failure === undefined ? outcome.state : "failed",
          best: endText(outcome),
          left: "",
        },
      }),
    onWarning: ({ run }, message) => all.log(`warning: ${run.name}: ${message}\n`),
    stop: () => all.stop(),
  };
}
