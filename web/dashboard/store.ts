/** All runs as the server tells them: a snapshot, then changes. */
import { useEffect, useState } from "preact/hooks";
import type { Change, Curves, RunUpdate, Snapshot } from "../../src/dashboard/api.js";

export interface Run extends Omit<RunUpdate, "from"> {
  /** Epochs that have ended. */
  readonly epochs: number;
}

export type Connection = "connecting" | "live" | "lost";

/** Without a sign of life for so long a connection counts as lost; the server gives one every 10 s. */
const patience = 25_000;
/** Changes that come close together are shown together. */
const gather = 100;

class Store {
  runs: ReadonlyMap<string, Run> = new Map();
  warnings: readonly string[] = [];
  folder = "";
  stoppable = false;
  loaded = false;
  connection: Connection = "connecting";
  /** What a screen reader announces, politely. */
  said = "";
  private readonly listeners = new Set<() => void>();
  private readonly news: string[] = [];
  private source: EventSource | undefined;
  private pending = false;
  private watchdog = 0;
  private speaking = 0;

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Begins, or begins anew. */
  async connect(): Promise<void> {
    this.source?.close();
    try {
      const response = await fetch("/api/runs");
      if (!response.ok) throw new Error(`${response.status}`);
      this.take((await response.json()) as Snapshot);
    } catch {
      this.lose();
      return this.later(3000);
    }
  }

  /** Tells it once to whoever listens; what is said in quick succession is said as one. */
  say(text: string): void {
    if (this.news.at(-1) !== text) this.news.push(text);
    if (this.speaking !== 0) return;
    const speak = (): void => {
      const some = this.news.splice(0);
      this.speaking = some.length === 0 ? 0 : window.setTimeout(speak, 5000);
      if (some.length === 0) return;
      this.said = some.length <= 3 ? some.join(". ") : `${some.length} messages; the last: ${some.at(-1)}`;
      this.changed();
    };
    this.speaking = window.setTimeout(speak, 300);
  }

  private take(snapshot: Snapshot): void {
    this.runs = new Map(snapshot.runs.map((update) => [update.id, merged(undefined, update)]));
    ({ warnings: this.warnings, folder: this.folder, stoppable: this.stoppable } = snapshot);
    this.loaded = true;
    const source = new EventSource(`/api/events?since=${encodeURIComponent(snapshot.at)}`);
    this.source = source;
    const alive = (): void => {
      clearTimeout(this.watchdog);
      this.watchdog = window.setTimeout(() => {
        this.lose();
        void this.connect();
      }, patience);
    };
    source.onopen = () => {
      if (this.connection === "lost") this.say("Connected again");
      this.connection = "live";
      alive();
      this.changed();
    };
    source.onerror = () => {
      this.lose();
      if (source.readyState === EventSource.CLOSED) this.later(3000); // else it tries again itself
    };
    source.addEventListener("beat", alive);
    source.addEventListener("reset", () => void this.connect());
    source.addEventListener("change", (event) => {
      alive();
      this.apply(JSON.parse(event.data as string) as Change);
    });
    this.changed();
  }

  private apply({ runs, removed, warnings }: Change): void {
    const all = new Map(this.runs);
    for (const id of removed) all.delete(id);
    for (const update of runs) {
      const before = all.get(update.id);
      all.set(update.id, merged(before, update));
      if (before?.state !== update.state) this.say(`${update.name}: ${update.state}`);
    }
    this.runs = all;
    if (warnings !== undefined) this.warnings = warnings;
    this.changed();
  }

  private lose(): void {
    if (this.connection !== "lost") this.say("The connection is lost; trying again");
    this.connection = "lost";
    this.changed();
  }

  private later(milliseconds: number): void {
    clearTimeout(this.watchdog);
    this.watchdog = window.setTimeout(() => void this.connect(), milliseconds);
  }

  private changed(): void {
    if (this.pending) return;
    this.pending = true;
    window.setTimeout(() => {
      this.pending = false;
      for (const listener of this.listeners) listener();
    }, gather);
  }
}

export const store = new Store();

/** Renders a component again when something in the store has changed. */
export function useStore(): Store {
  const [, again] = useState({});
  useEffect(() => store.subscribe(() => again({})), []);
  return store;
}

/** A run with what was just received about it. */
function merged(before: Run | undefined, { from, ...update }: RunUpdate): Run {
  const { curves } = update;
  const join = (name: keyof Curves): readonly number[] =>
    from === 0 || before === undefined
      ? curves[name]
      : [...before.curves[name].slice(0, from), ...curves[name]];
  const all: Curves = {
    top1: join("top1"),
    trainTop1: join("trainTop1"),
    testLoss: join("testLoss"),
    trainLoss: join("trainLoss"),
    learningRate: join("learningRate"),
    seconds: join("seconds"),
  };
  return { ...update, curves: all, epochs: all.top1.length };
}
