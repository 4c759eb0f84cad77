/** Which units depend on which. */
import type { Tensor } from "../graph/tensor.js";
import type { Producers, Unit } from "./units.js";
import { ownerOf } from "./kinds.js";

/** A set of units by their numbers, one bit per unit; units beyond the end of the array are not in it. */
export type Units = Uint32Array;
export const has = (units: Units, i: number): boolean => ((units[i >> 5] >>> (i & 31)) & 1) === 1;
const addAll = (to: Units, more: Units): void => more.forEach((word, i) => (to[i] |= word));

/**
 * Ancestors at any distance, so that a question is one operation. A unit counts among its
 * own ancestors.
 */
export class Ancestry {
  private readonly numbers = new Map<Unit, number>();
  private readonly ancestors: Units[] = [];

  constructor(private readonly producers: Producers) {}

  add(unit: Unit, values: readonly Tensor[]): void {
    const number = this.ancestors.length;
    const own = this.behind(values);
    own[number >> 5] |= 1 << (number & 31);
    this.numbers.set(unit, number);
    this.ancestors.push(own);
  }

  /** Adds values that a unit reads, also for all units that depend on it. */
  extend(unit: Unit, values: readonly Tensor[]): void {
    const number = this.numbers.get(unit)!;
    const more = this.behind(values);
    // What depends on a unit has all of its ancestors.
    const own = this.ancestors[number];
    if (more.every((word, i) => (word & ~own[i]) === 0)) return;
    this.ancestors.forEach((known, i) => {
      if (!has(known, number)) return;
      const all = new Uint32Array(Math.max(known.length, more.length));
      all.set(known);
      addAll(all, more);
      this.ancestors[i] = all;
    });
  }

  /** The units that values depend on. */
  behind(values: readonly Tensor[]): Units {
    const all = new Uint32Array((this.ancestors.length >> 5) + 1);
    for (const value of values) {
      const from = this.producers.get(ownerOf(value).owner);
      if (from !== undefined) addAll(all, this.ancestors[this.numbers.get(from)!]);
    }
    return all;
  }

  numberOf(unit: Unit): number {
    return this.numbers.get(unit)!;
  }
}
