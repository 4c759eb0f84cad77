/** Shows a data set being loaded: a bar on a terminal; elsewhere a line for each file that was downloaded. */
import cliProgress from "cli-progress";
import { withoutControls } from "../errors.js";
import type { LoadListeners, LoadProgress } from "../data/index.js";
import { bytesText, isFancy, pc, print, warn } from "./text.js";

export interface Loading extends Required<LoadListeners> {
  stop(): void;
}

export function showLoading(quiet: boolean): Loading {
  if (quiet) return { onProgress: () => {}, onWarning: warn, stop: () => {} };
  if (isFancy()) return bar();
  return { onProgress: lines(), onWarning: warn, stop: () => {} };
}

/** Prints one line per downloaded file and, while the images of a large folder are read, one line at the beginning and one per tenth. */
function lines(): Loading["onProgress"] {
  let tenths = -1;
  return (progress) => {
    const { what, unit, done, total = 0 } = progress;
    if (unit === "bytes") return downloaded(progress);
    const now = Math.floor((10 * done) / total);
    if (total < fewestTold || now === tenths) return;
    tenths = now;
    print(`${what}  ${done.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} images read`);
  };
}

/** The number of images from which on reading takes long enough for progress lines. */
const fewestTold = 1000;

function downloaded({ what, done, from }: LoadProgress): void {
  if (from !== undefined) print(`${what}  ${bytesText(done)} from ${from}`);
}

function bar(): Loading {
  const bar = new cliProgress.SingleBar({
    format: `{what} ${pc.cyan("{bar}")} {amount}`,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 14,
    fps: 15,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    noTTYOutput: false,
  });
  let shown: string | undefined;
  const stop = (): void => {
    if (shown !== undefined) bar.stop();
    shown = undefined;
  };
  return {
    onProgress(progress) {
      const { what, unit, done, total, from } = progress;
      if (from !== undefined) {
        stop();
        return downloaded(progress);
      }
      const text = unit === "bytes" ? bytesText(done) : `${done.toLocaleString("en-US")} images`;
      const payload = { what: withoutControls(what), amount: text };
      // A server may be wrong about the length, and the next mirror starts from zero.
      const most = Math.max(total ?? done, done);
      if (what !== shown) {
        stop();
        shown = what;
        bar.start(most, done, payload);
      }
      bar.setTotal(most);
      bar.update(done, payload);
    },
    onWarning(message) {
      stop();
      warn(message);
    },
    stop,
  };
}
