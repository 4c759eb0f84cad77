import { availableParallelism, loadavg } from "node:os";

/**
 * How many times longer than on an idle machine the tests may take: others use it, too, as on a newcomer's
 * laptop. It is what 0.1 s of computing takes now, or the processes waiting for a CPU in the last minute.
 */
export function measurePatience(): number {
  const [start, used] = [performance.now(), process.cpuUsage()];
  let busy = 0;
  while (busy < 100) {
    const { user, system } = process.cpuUsage(used);
    busy = (user + system) / 1000;
  }
  const stretched = (performance.now() - start) / busy;
  const waiting = loadavg()[0] / availableParallelism();
  return Math.min(10, Math.max(1, stretched, waiting));
}
