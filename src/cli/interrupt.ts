/** Stopping what runs by Ctrl-C without losing anything. */
import { exitCodes } from "./exit.js";

/** What Ctrl-C sends, and what batch systems send before they kill. */
const signals = ["SIGINT", "SIGTERM"] as const;

/** The first SIGINT or SIGTERM raises `signal` and says `message`, the second exits; `release` ends that. */
export function onInterrupt(
  message: string,
  quiet: boolean,
): { readonly signal: AbortSignal; release(): void } {
  const stop = new AbortController();
  const listener = (): void => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    stop.abort();
    if (!quiet) console.error(`${message}; press again to stop at once`);
  };
  for (const name of signals) process.on(name, listener);
  return {
    signal: stop.signal,
    release() {
      for (const name of signals) process.off(name, listener);
    },
  };
}
