/** Plans scratch memory: values that are never alive together may share bytes. */

/** A vector register of the widest instruction set, and a cache line. */
export const alignment = 64;

export interface Lifetime {
  readonly bytes: number;
  /** Index of the instruction that writes the value, and of the last one that reads it. */
  readonly first: number;
  readonly last: number;
}

export function alignUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/**
 * Gives each value an offset. The largest values choose first, each the lowest gap between the
 * values that it overlaps in time (greedy by size, as in Pisarchyk and Lee, arXiv:2001.03288).
 */
export function planMemory(lifetimes: readonly Lifetime[]): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const placed: number[] = []; // by offset
  let total = 0;
  const bySize = lifetimes.map((_, i) => i).sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes || a - b);
  for (const index of bySize) {
    const { bytes, first, last } = lifetimes[index];
    const size = alignUp(bytes);
    let offset = 0;
    for (const other of placed) {
      const neighbour = lifetimes[other];
      if (neighbour.last < first || neighbour.first > last) continue;
      if (offset + size <= offsets[other]) break;
      offset = Math.max(offset, offsets[other] + alignUp(neighbour.bytes));
    }
    offsets[index] = offset;
    total = Math.max(total, offset + size);
    const at = placed.findIndex((other) => offsets[other] > offset);
    placed.splice(at < 0 ? placed.length : at, 0, index);
  }
  return { offsets, bytes: total };
}
