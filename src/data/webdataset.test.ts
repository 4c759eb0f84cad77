/**
 * What Python's webdataset package reads of shards. What it writes is read in shards.test.ts. FEWBIT_PYTHON names a
 * Python that has what tools/readers/requirements.txt lists.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { plain, writeImage } from "./images.test.fixture.js";
import { writeShards } from "./shard-writer.js";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

interface Sample {
  readonly key: string;
  readonly ending: string;
  readonly sha256: string;
  readonly label: number;
}

const { FEWBIT_PYTHON: python = "" } = process.env;
describe.skipIf(python === "")("Python's webdataset", () => {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-webdataset-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("reads every image, with its class, of our shards", async () => {
    const source = join(folder, "source");
    // The last name does not fit into a header, and is not ASCII.
    const names = ["1.png", "2.jpg", "two.dots.png", "3.webp", `${"\u00e9".repeat(60)}.png`];
    const expected: Sample[] = [];
    for (const set of ["train", "val"]) {
      for (const [label, name] of ["cats", "dogs"].entries()) {
        for (const [i, file] of names.entries()) {
          const written = await writeImage(join(source, set, name, file), plain(20 * i + label));
          expected.push({
            key: `${name}/${file.replace(/\.[^.]+$/, "").replace(".", "_")}`,
            ending: file.split(".").at(-1) ?? "",
            sha256: createHash("sha256").update(readFileSync(written)).digest("hex"),
            label,
          });
        }
      }
    }
    const out = join(folder, "shards");
    await writeShards({ directory: source, out });
    const shards = ["train-000000.tar", "val-000000.tar"].map((name) => join(out, name));
    const read = JSON.parse(
      execFileSync(python, [path("tools/readers/shards.py"), ...shards], { encoding: "utf8" }),
    ) as Sample[];
    const text = (samples: readonly Sample[]) => samples.map((sample) => JSON.stringify(sample)).sort();
    expect(text(read)).toEqual(text(expected));
  });
});
