/** Stopping what runs by Ctrl-C without losing anything. */
import { exitCodes } from "./exit.js";

/** The first SIGINT raises `signal` and says `message`, the second exits; `release` ends that. */
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
  process.on("SIGINT", listener);
  return { signal: stop.signal, release: () => process.off("SIGINT", listener) };
}
