/** `fewbit dashboard`. */
import { UserError } from "../errors.js";
import { onInterrupt } from "./interrupt.js";
import { pc, print, say } from "./text.js";

interface DashboardFlags {
  readonly host?: string;
  readonly port?: number;
  readonly stop: boolean;
}

/** Serves until a signal ends it. */
export async function dashboardCommand(folder: string, flags: DashboardFlags): Promise<void> {
  const { host, port, stop: stoppable } = flags;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new UserError(`port must be an integer from 0 to 65535, got ${JSON.stringify(port)} (from --port)`);
  }
  const { startDashboard } = await import("../dashboard/index.js");
  const { signal } = onInterrupt("closing", true);
  const ended = new Promise((end) => signal.addEventListener("abort", end));
  const dashboard = await startDashboard({ folder, host, port, stoppable });
  const { runs, warnings } = dashboard.watch.snapshot(stoppable);
  for (const warning of warnings) say(warning);
  print(`${runs.length} ${runs.length === 1 ? "run" : "runs"} in ${folder}; Ctrl-C ends the dashboard`);
  print(pc.bold(dashboard.url));
  await ended;
  await dashboard.close();
}
