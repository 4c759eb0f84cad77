import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatLines, lockDirectory } from "../run-folder/index.js";
import type { Change } from "./api.js";
import { detailsOf } from "./details.js";
import { Feed } from "./feed.js";
import { endEpoch, metricsLine, writeRun } from "../runs.test.fixture.js";
import { Watch } from "./watch.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "fewbit-watch-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** What a look finds changed. */
async function changesOf(watch: Watch): Promise<readonly Change[]> {
  const { position } = watch.feed;
  await watch.look();
  return watch.feed.since(position)!.map(({ data }) => JSON.parse(data) as Change);
}

test("a run that counts equal logits as wrong is marked as such", async () => {
  writeRun(folder, "older", { isOlder: true });
  writeRun(folder, "today", {});
  const watch = new Watch(folder);
  await watch.look();
  expect(watch.snapshot(true).runs.map(({ name, tiesWrong }) => [name, tiesWrong])).toEqual([
    ["older", true],
    ["today", false],
  ]);
});

test("runs below the folder are sent with their state, best and cell", async () => {
  writeRun(folder, "study/done", { epochs: 3 });
  writeRun(folder, "study/early", { epochs: 2, planned: 5, method: "mine", options: {}, data: "pets" });
  const trains = writeRun(folder, "trains", { epochs: 0, planned: 5 });
  const release = lockDirectory(trains).release;
  const gone = writeRun(folder, "gone", { epochs: 1, planned: 5 });
  writeFileSync(join(gone, "lock"), "999999999 1"); // no such process
  symlinkSync(trains, join(folder, "again"));
  const watch = new Watch(folder);
  await watch.look();
  const { runs, warnings } = watch.snapshot(true);
  expect(
    runs.map(({ name, state, best, published, curves }) => [
      name,
      state,
      best?.epoch,
      published,
      curves.top1.length,
    ]),
  ).toEqual([
    ["gone", "interrupted", 1, 99.61, 1],
    ["study/done", "done", 3, 99.61, 3],
    ["study/early", "interrupted", 2, null, 2],
    ["trains", "running", undefined, 99.61, 0],
  ]);
  expect(runs[2]).toMatchObject({ weightBits: null, data: "pets", method: "mine", epochsPlanned: 5 });
  expect(warnings).toEqual([]);
  expect(new Set(runs.map(({ id }) => id)).size).toBe(4);
  writeFileSync(join(trains, "stop"), "");
  expect((await changesOf(watch))[0].runs).toMatchObject([
    { name: "trains", state: "running", stopping: true },
  ]);
  release();
  expect((await changesOf(watch))[0].runs).toMatchObject([
    { name: "trains", state: "interrupted", stopping: false },
  ]);
});

test("runs on ImageNet have top-5, and the published one where it is all of it", async () => {
  const [whole, part] = [
    { images: { train: 1_281_167, test: 50_000 } },
    { images: { train: 1800, test: 500 } },
  ];
  const options = { weightBits: 2, activationBits: 2, preset: "redbit" };
  for (const [name, classes, config] of [
    ["part", 10, part],
    ["whole", 1000, whole],
  ] as const) {
    const model = { name: "resnet18", input: [227, 227, 3], classes };
    const preparation = { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] };
    writeRun(folder, name, { data: "imagenet", options, config: { model, preparation, ...config } });
  }
  const watch = new Watch(folder);
  await watch.look();
  expect(watch.snapshot(true).runs).toMatchObject([
    {
      name: "part",
      best: { top5: expect.any(Number) as number },
      published: null,
      publishedTop5: null,
      part: "10 classes of ImageNet",
    },
    {
      name: "whole",
      best: { top5: expect.any(Number) as number },
      published: 60.73,
      publishedTop5: 82.99,
      part: null,
    },
  ]);
});

test("only what is new is sent: the epochs that follow, the runs that come and go", async () => {
  const first = writeRun(folder, "first", { epochs: 2, planned: 4 });
  writeRun(folder, "second");
  const watch = new Watch(folder);
  await watch.look();
  expect(await changesOf(watch)).toEqual([]);

  endEpoch(first, 3);
  const [change] = await changesOf(watch);
  expect(change).toMatchObject({ removed: [], runs: [{ name: "first", from: 2, best: { epoch: 3 } }] });
  expect(change.runs[0].curves.seconds).toHaveLength(1);

  const third = writeRun(folder, "third");
  const [{ runs, removed }] = await changesOf(watch);
  expect([runs.map(({ name, from }) => [name, from]), removed]).toEqual([[["third", 0]], []]);
  rmSync(third, { recursive: true });
  expect(await changesOf(watch)).toEqual([{ runs: [], removed: [runs[0].id] }]);
});

test("a run that is resumed from an older checkpoint is sent from there", async () => {
  const run = writeRun(folder, "run", { epochs: 4, planned: 6 });
  const watch = new Watch(folder);
  await watch.look();
  const kept = [1, 2].map((epoch) => JSON.parse(metricsLine(epoch)) as object);
  writeFileSync(join(run, "metrics.jsonl"), formatLines(kept));
  endEpoch(run, 3, { top1: 80 });
  const [{ runs }] = await changesOf(watch);
  expect(runs[0].from + runs[0].curves.top1.length).toBe(3);
  const whole = watch.snapshot(true).runs[0];
  expect(whole.curves.top1).toHaveLength(3);
  expect(whole.curves.top1[2]).toBeLessThan(81);
});

test("foreign folders are left out and damaged ones reported, each with a warning, until they are mended", async () => {
  writeRun(folder, "good");
  const torn = writeRun(folder, "torn", { epochs: 2, planned: 3 });
  writeFileSync(join(torn, "metrics.jsonl"), `${metricsLine(1)}nonsense\n${metricsLine(2)}`);
  const skipping = writeRun(folder, "skipping");
  writeFileSync(join(skipping, "metrics.jsonl"), metricsLine(2));
  for (const [name, content] of [
    ["foreign", '{"name":"a package"}'],
    ["broken", "{"],
    ["later", '{"formatVersion":2}'],
    ["esc\u001b[31m", "[]"],
  ]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "config.json"), content);
  }
  mkdirSync(join(writeRun(folder, "blocked"), "lock"));
  const watch = new Watch(folder);
  await watch.look();
  const { runs, warnings } = watch.snapshot(true);
  expect(runs.map(({ name, state, curves }) => [name, state, curves.top1.length])).toEqual([
    ["blocked", "done", 3],
    ["good", "done", 3],
    ["skipping", "damaged", 0],
    ["torn", "damaged", 1],
  ]);
  expect(warnings).toHaveLength(6);
  expect(warnings.join("\n")).not.toContain("\u001b");
  expect(warnings.join("\n")).toMatch(
    /torn.metrics\.jsonl is damaged: what follows epoch 1 is not a line of the next/,
  );

  writeFileSync(join(torn, "metrics.jsonl"), metricsLine(1) + metricsLine(2));
  const [change] = await changesOf(watch);
  expect(change.runs).toMatchObject([{ name: "torn", state: "interrupted" }]);
  expect(change.warnings).toHaveLength(5);
});

test("a hostile configuration is shown as text, and its names cannot reach prototypes", async () => {
  const name = "<script>alert(1)</script>";
  writeRun(folder, "hostile", {
    method: "__proto__",
    model: name,
    data: "constructor",
    layers: ["__proto__", name],
  });
  const watch = new Watch(folder);
  await watch.look();
  const [run] = watch.snapshot(true).runs;
  expect(run).toMatchObject({ method: "__proto__", model: name, data: "constructor", weightBits: 1 });
  expect(detailsOf(watch.run(run.id)!).layers.map((layer) => layer.name)).toEqual(["__proto__", name]);
});

test("details: layers as columns, confusion matrices, and a warning for each damaged file", async () => {
  const run = writeRun(folder, "run", { epochs: 3, layers: ["conv1", "fc"], confusion: true, classes: 4 });
  const watch = new Watch(folder);
  await watch.look();
  const watched = watch.run(watch.snapshot(true).runs[0].id)!;
  const details = detailsOf(watched);
  expect(details.layers.map(({ name, epochs, levels }) => ({ name, epochs, levels }))).toEqual([
    { name: "conv1", epochs: [1, 2, 3], levels: [null, null, null] },
    { name: "fc", epochs: [1, 2, 3], levels: [2, 2, 2] },
  ]);
  expect(details.layers[1].counts[2]).toHaveLength(32);
  expect(details.confusion.map(({ epoch, counts }) => [epoch, counts[3][3]])).toEqual(
    [1, 2, 3].map((e) => [e, 93]),
  );
  expect(details.classNames).toEqual(["0", "1", "2", "3"]);
  expect(details.warnings).toEqual([]);

  writeFileSync(join(run, "layers.jsonl"), "{}\n");
  writeFileSync(join(run, "confusion.jsonl"), '{"epoch":1,"split":"test","counts":[[1]]}\n');
  expect(detailsOf(watched)).toMatchObject({
    layers: [],
    confusion: [],
    warnings: [expect.stringContaining("layers.jsonl"), expect.stringContaining("is not for 4 classes")],
  });
});

test("the feed goes on from any position that it keeps, and says where it cannot", async () => {
  const feed = new Feed();
  const start = feed.position;
  const large = { runs: [], removed: ["x".repeat(1_500_000)] };
  feed.publish(large);
  const second = feed.position;
  feed.publish(large);
  expect(feed.since(start)).toHaveLength(2);
  expect(feed.since(second)).toHaveLength(1);
  expect(feed.since(feed.position)).toEqual([]);
  feed.publish(large);
  expect(feed.since(start)).toBeUndefined();
  expect(feed.since(second)).toHaveLength(2);
  for (const unknown of ["", "0", `${second}0`, new Feed().position])
    expect(feed.since(unknown)).toBeUndefined();

  const waiting = feed.next(60_000, new AbortController().signal);
  feed.publish(large);
  await waiting;
});
