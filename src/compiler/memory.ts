/** Plans memory: where values may begin, and which may share bytes of scratch since they are never alive together. */
import { memoryText, UserError } from "../errors.js";
import type { Target } from "../runtime/target.js";

/** The assumptions about an executor's memory. */
export type MemoryRules = Pick<Target, "alignment" | "pageBytes">;

export interface Lifetime {
  readonly bytes: number;
  /** Index of the instruction that writes the value, and of the last one that reads it. */
  readonly first: number;
  readonly last: number;
}

/** The next multiple of the alignment. */
export function alignUp(bytes: number, { alignment }: MemoryRules): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/**
 * The first offset from `offset` on at which a value of so many bytes may lie: aligned, and within one page.
 *
 * @throws UserError if the value is larger than a page.
 */
export function placeFrom(offset: number, bytes: number, rules: MemoryRules): number {
  const first = alignUp(offset, rules);
  const { pageBytes } = rules;
  if (pageBytes === undefined || bytes === 0) return first;
  if (bytes > pageBytes) {
    throw new UserError(
      `one value needs ${memoryText(bytes)}, but the executor's memory is cut in pages of ${memoryText(pageBytes)}; ` +
        "use a smaller batch, image or network",
    );
  }
  const nextPage = Math.ceil((first + 1) / pageBytes) * pageBytes;
  return first + bytes <= nextPage ? first : nextPage;
}

/**
 * Gives each value an offset. The largest values choose first, each the lowest gap between the
 * values that it overlaps in time (greedy by size, as in Pisarchyk and Lee, arXiv:2001.03288).
 */
export function planMemory(
  lifetimes: readonly Lifetime[],
  rules: MemoryRules,
): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const placed: number[] = []; // by offset
  let total = 0;
  const bySize = lifetimes.map((_, i) => i).sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes || a - b);
  for (const index of bySize) {
    const { bytes, first, last } = lifetimes[index];
    const size = alignUp(bytes, rules);
    let offset = placeFrom(0, bytes, rules);
    for (const other of placed) {
      const neighbour = lifetimes[other];
      if (neighbour.last < first || neighbour.first > last) continue;
      if (offset + size <= offsets[other]) break;
      const end = offsets[other] + alignUp(neighbour.bytes, rules);
      offset = placeFrom(Math.max(offset, end), bytes, rules);
    }
    offsets[index] = offset;
    total = Math.max(total, offset + size);
    const at = placed.findIndex((other) => offsets[other] > offset);
    placed.splice(at < 0 ? placed.length : at, 0, index);
  }
  return { offsets, bytes: total };
}
