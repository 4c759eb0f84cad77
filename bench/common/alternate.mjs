/** Ours and the ways of a peer by turns, each run in a process of its own. */
import { median } from "./processes.mjs";

/** Ways that a short try finds so much slower than the fastest are not run again. */
const clearlySlower = 1.3;

/**
 * @param mine runs ours and gives its result with `medianMs`.
 * @param ways { name, group, run(short) }: `group` names what the fastest is sought of.
 * @returns the median of ours, its first result, and for each way { name, group, ms, tried }: `tried` where
 *   only the short try ran, `failed` the reason where none did.
 */
export async function alternate(mine, ways, rounds) {
  const rows = [];
  for (const { name, group, run } of ways) {
    rows.push({ name, group, run, times: [], ...(await attempt(() => run(true))) });
  }
  for (const group of new Set(ways.map((way) => way.group))) {
    const members = rows.filter((row) => row.group === group && row.ms !== undefined);
    const limit = clearlySlower * Math.min(...members.map(({ ms }) => ms));
    for (const row of members) row.tried = row.ms > limit;
  }
  const kept = rows.filter((row) => row.ms !== undefined && !row.tried);
  const own = [];
  // The first round warms the disk's cache and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const row of kept.length > 0 ? kept : [undefined]) {
      const result = await mine();
      if (round > 0) own.push(result);
      if (row === undefined) continue;
      const { ms } = await attempt(() => row.run(false));
      if (round > 0 && ms !== undefined) row.times.push(ms);
    }
  }
  return {
    ms: median(own.map(({ medianMs }) => medianMs)),
    result: own[0],
    ways: rows.map(({ name, group, ms, tried, failed, times }) => ({
      name,
      group,
      tried,
      failed,
      ms: times.length > 0 ? median(times) : ms,
    })),
  };
}

async function attempt(run) {
  try {
    return { ms: (await run()).medianMs };
  } catch (error) {
    return {
      failed: String(error.stderr || error)
        .trim()
        .split("\n")
        .at(-1),
    };
  }
}

/** The fastest of a group that took part in the alternation; undefined if none did. */
export const fastest = (ways, group) =>
  ways
    .filter((way) => way.group === group && way.ms !== undefined && !way.tried)
    .sort((a, b) => a.ms - b.ms)[0];

/** "eager channels-last 200.1, compiled contiguous 310.0 (short try)" */
export const listed = (ways) =>
  ways
    .map(({ name, ms, tried, failed }) =>
      failed ? `${name} failed: ${failed}` : `${name} ${ms.toFixed(1)}${tried ? " (short try)" : ""}`,
    )
    .join(", ");
