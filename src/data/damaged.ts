/** Image files that are damaged, where the user wants to train without them. */
import type { LoadListeners } from "./dataset.js";
import type { Unreadable } from "./unreadable.js";
import { mostTold } from "./unreadable.js";

/** Counts the files that are left out because they are damaged, and warns of each once. */
export class Damaged {
  private readonly paths = new Set<string>();

  constructor(private readonly onWarning: LoadListeners["onWarning"]) {}

  get count(): number {
    return this.paths.size;
  }

  add({ path, reason }: Unreadable): void {
    if (this.paths.has(path)) return;
    this.paths.add(path);
    if (this.count < mostTold) this.onWarning?.(`${path} is left out: ${reason}`);
    if (this.count === mostTold) {
      this.onWarning?.(`${path} is left out: ${reason}; others that are left out are counted only`);
    }
  }
}
