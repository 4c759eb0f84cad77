/** Changes in order, of which the last are kept for pages whose connection broke. */
import { randomBytes } from "node:crypto";
import type { Change } from "./api.js";

export interface FeedEvent {
  readonly id: string;
  /** A `Change` as JSON. */
  readonly data: string;
}

/** Characters of JSON that are kept. */
const kept = 4_000_000;

export class Feed {
  /** Positions of another process do not count here. */
  private readonly process = randomBytes(8).toString("hex");
  private readonly events: FeedEvent[] = [];
  private count = 0;
  private characters = 0;
  private readonly waiting = new Set<() => void>();

  /** After the last event. */
  get position(): string {
    return this.idOf(this.count);
  }

  publish(change: Change): void {
    this.count++;
    const data = JSON.stringify(change);
    this.events.push({ id: this.position, data });
    this.characters += data.length;
    while (this.characters > kept && this.events.length > 1) {
      this.characters -= this.events.shift()!.data.length;
    }
    for (const wake of this.waiting) wake();
  }

  /** The events after a position; undefined if they are not kept, or it is none of this process. */
  since(position: string): readonly FeedEvent[] | undefined {
    const first = this.count - this.events.length;
    for (let at = this.count; at >= first; at--) {
      if (this.idOf(at) === position) return this.events.slice(at - first);
    }
    return undefined;
  }

  /** Resolves at the next event, when the signal is raised, or after some time. */
  next(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  private idOf(count: number): string {
    return `${this.process}-${count}`;
  }
}
