/** A decoder that gets no thread, at first or at all: in its place stands one that fails as it does then. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Sharp from "sharp";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { decodeImages } from "./decode.js";

/** How many images fail at a time, and how many are being decoded now. */
const lacks = vi.hoisted(() => ({ atOnce: 0, running: 0 }));

vi.mock("sharp", async (original) => {
  const { default: sharp } = await original<{ default: typeof Sharp }>();
  const open = (...given: Parameters<typeof sharp>) => {
    const image = sharp(...given);
    const toBuffer = (...how: unknown[]) =>
      sharp.prototype.toBuffer.apply(image, how as []) as Promise<unknown>;
    const lacking = async (...how: unknown[]): Promise<unknown> => {
      if (++lacks.running > lacks.atOnce) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        lacks.running--;
        throw new Error("glib: Error creating thread: Resource temporarily unavailable");
      }
      const pixels = await toBuffer(...how);
      lacks.running--;
      return pixels;
    };
    return Object.assign(image, { toBuffer: lacking });
  };
  return { default: Object.assign(open, sharp) };
});

const folder = mkdtempSync(join(tmpdir(), "fewbit-lacks-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  lacks.running = 0;
});

const paths = Array.from({ length: 50 }, (_, i) => join(folder, `${i}.png`));

async function write(): Promise<void> {
  const { default: sharp } = await vi.importActual<{ default: typeof Sharp }>("sharp");
  for (const [i, path] of paths.entries()) {
    await sharp(Buffer.alloc(4, i), { raw: { width: 2, height: 2, channels: 1 } }).toFile(path);
  }
}

test("images that fail together are read once more, alone", async () => {
  await write();
  lacks.atOnce = 1;
  const images = await decodeImages(paths, { shape: [2, 2, 1] });
  expect(Array.from(images)).toEqual(paths.flatMap((_, i) => [i, i, i, i]));
});

test("if that fails too, the message says that the files may be sound", async () => {
  lacks.atOnce = 0;
  await expect(decodeImages(paths.slice(0, 1), { shape: [2, 2, 1] })).rejects.toThrow(
    `${paths[0]} cannot be read as an image: there is no thread or no memory left for the decoder, which says "glib: Error creating thread: Resource temporarily unavailable"; the file may be sound; close other programs, or raise the limits of processes and memory`,
  );
});
