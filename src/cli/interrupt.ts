/** Stops work in progress without losing anything. */
import { isatty } from "node:tty";
import { exitCodes } from "./exit.js";
import { say } from "./text.js";

/**
 * What a terminal sends for Ctrl-C, for Ctrl-\ and when it is closed, and what service managers and batch systems send
 * before they kill.
 */
const stopSignals = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM"] as const;

/**
 * The first of `stopSignals` aborts `signal` and prints `message`; a second signal of the same kind exits. `release`
 * removes the handlers. A closing terminal or a service manager may send several kinds, and SIGHUP twice, without
 * meaning an immediate exit.
 */
export function onInterrupt(
  message: string,
  quiet: boolean,
): { readonly signal: AbortSignal; release(): void } {
  const stop = new AbortController();
  const received = new Set<string>();
  const hasTerminal = [0, 1, 2].some((file) => isatty(file));
  const listener = (name: string): void => {
    if (received.has(name) && name !== "SIGHUP") process.exit(exitCodes.interrupted);
    const isFirst = received.size === 0;
    received.add(name);
    if (!isFirst) return;
    stop.abort();
    if (name === "SIGHUP" && hasTerminal) outliveTerminal();
    else if (!quiet) say(`${message}${howToStop(name)}`);
  };
  for (const name of stopSignals) process.on(name, listener);
  return {
    signal: stop.signal,
    release() {
      for (const name of stopSignals) process.off(name, listener);
    },
  };
}

function howToStop(name: string): string {
  if (name === "SIGHUP") return "";
  return `; ${name === "SIGINT" ? "press" : "send it"} again to stop at once`;
}

/** Lets runs be saved after the terminal is gone. */
function outliveTerminal(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  // Node aborts if it cannot restore a terminal, so the process ends as the signal alone would have ended it.
  process.once("exit", () => {
    process.removeAllListeners("SIGHUP");
    process.kill(process.pid, "SIGHUP");
  });
}
