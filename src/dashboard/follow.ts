/** Reads a growing JSON-lines file: each time only what was appended since. */
import { stat } from "node:fs/promises";
import { memoryText } from "../errors.js";
import { largest, openRegularAside } from "../files/read.js";

const chunkBytes = 2 ** 20;

export interface Reading {
  /** The file is another, or was rewritten: what was read before does not hold. */
  readonly restarted: boolean;
  /** Whole lines, in order. */
  readonly lines: readonly string[];
  /** When the file last changed, in milliseconds since 1970. */
  readonly changed: number;
}

export class LineFollower {
  private stamp: { readonly file: string; readonly size: number; readonly changed: number } | undefined;
  private position = 0;

  constructor(private readonly path: string) {}

  /** Undefined if nothing has changed. @throws Error for a file that cannot be read, or is too large. */
  async read(): Promise<Reading | undefined> {
    const found = await stat(this.path).catch(() => undefined);
    const before = this.stamp;
    if (found === undefined) {
      if (before === undefined) return undefined;
      [this.stamp, this.position] = [undefined, 0];
      return { restarted: true, lines: [], changed: 0 };
    }
    const { size, mtimeMs: changed } = found;
    const file = `${found.dev} ${found.ino}`;
    if (before?.file === file && before.size === size && before.changed === changed) return undefined;
    const restarted = before !== undefined && (before.file !== file || size <= before.size);
    if (restarted) this.position = 0;
    if (!found.isFile()) throw new Error("is not a file");
    if (size > largest.lines) throw new Error(`is larger than ${memoryText(largest.lines, 0)}`);
    const lines = await this.linesUpTo(size);
    // Only now: what could not be read is tried again.
    this.stamp = { file, size, changed };
    return { restarted, lines, changed };
  }

  /** A last line without an end stays unread: it is read again once it has one. */
  private async linesUpTo(size: number): Promise<string[]> {
    const file = await openRegularAside(this.path);
    try {
      const pieces: Buffer[] = [];
      for (let at = this.position; at < size;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(chunkBytes, size - at)), {
          position: at,
        });
        if (bytesRead === 0) break;
        pieces.push(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      const bytes = Buffer.concat(pieces);
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.position += end;
      return end === 0 ? [] : bytes.toString("utf8", 0, end - 1).split("\n");
    } finally {
      await file.close();
    }
  }
}
