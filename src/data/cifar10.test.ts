/** CIFAR-10's batches, in all the ways that they lie on disks and servers. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { archiveFiles } from "./archive.js";
import { cifar10Sample } from "./cifar10-sample.js";
import { cifar10 } from "./cifar10.js";
import { archiveOf, batch, batchNames, sixBatches, tar, valueAt, xz } from "./cifar10.test.fixture.js";
import type { RemoteOptions } from "./remote.js";
import type { Behaviour, Mirror } from "./server.test.fixture.js";
import { serve } from "./server.test.fixture.js";

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "fewbit-cifar10-"))));
afterEach(() => rmSync(directory, { recursive: true }));

const six = sixBatches();
const at = (name: string) => join(directory, name);

function write(files: Readonly<Record<string, Uint8Array>>, place = directory): void {
  mkdirSync(place, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(place, name), bytes);
}

/** The batches with another ending, packed. */
const packed = (ending: string, pack: (bytes: Buffer) => Buffer) =>
  Object.fromEntries(Object.entries(six).map(([name, bytes]) => [name + ending, pack(bytes)]));

const archive = "cifar-10-binary.tar.gz";

describe("the same images come from", () => {
  const forms: readonly [string, () => string | void][] = [
    ["batches", () => write(six)],
    ["batches packed as gzip", () => write(packed(".gz", gzipSync))],
    ["batches packed as xz", () => write(packed(".xz", xz))],
    ["packed batches without the ending", () => write(packed("", xz))],
    [
      "some packed and some not",
      () => write({ ...packed(".xz", xz), "data_batch_2.bin": six["data_batch_2.bin"] }),
    ],
    ["a folder of batches in the folder", () => write(six, at("cifar-10-batches-bin"))],
    ["an archive in the folder", () => write({ [archive]: archiveOf(six) })],
    ["an archive without packing", () => write({ "cifar-10-binary.tar": gunzipSync(archiveOf(six)) })],
    [
      "an archive itself",
      () => {
        write({ "other.tgz": archiveOf(six) });
        return at("other.tgz");
      },
    ],
    [
      "an archive packed as xz, without a folder in it",
      () => {
        write({ "cifar.tar.xz": xz(tar(six)) });
        return at("cifar.tar.xz");
      },
    ],
  ];
  test.each(forms)("%s", async (_name, prepare) => {
    const place = prepare() ?? directory;
    const {
      name,
      train,
      test: held,
      classes,
      classNames,
      shape,
      checksum,
    } = await cifar10({ directory: place });
    expect([name, classes, shape, classNames?.[0], classNames?.[9]]).toEqual([
      ...["cifar10", 10, [32, 32, 3]],
      ...["airplane", "truck"],
    ]);
    expect([train.count, held.count]).toEqual([10, 2]);
    expect([...train.labels, ...held.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    const all = [...train.images, ...held.images];
    const expected = Array.from({ length: 12 * 3072 }, (_, i) =>
      valueAt(Math.floor(i / 3072), Math.floor(i / 96) % 32, Math.floor(i / 3) % 32, i % 3),
    );
    expect(all).toEqual(expected);
    expect(checksum).toBe(sha256(Buffer.concat(Object.values(six))));
  });
});

test("images are prepared as in the published study", async () => {
  write(six);
  const { mean, std, augmentation } = await cifar10({ directory });
  expect({ mean, std, augmentation }).toEqual({
    mean: [0.49139968, 0.48215841, 0.44653091],
    std: [0.24703223, 0.24348513, 0.26158784],
    augmentation: { cropPadding: 4, padding: "reflection", flip: true },
  });
});

describe("what is no CIFAR-10 is refused in a line:", () => {
  const { "test_batch.bin": tested, ...five } = six;
  const labelled = Buffer.from(six["data_batch_3.bin"]);
  labelled[3073] = 10;
  const damaged = xz(tested);
  damaged[damaged.length >> 1] ^= 1;
  const gzip = gzipSync(tested);
  gzip[gzip.length - 6] ^= 1;
  const broken = gunzipSync(archiveOf(six));
  broken[2 * 512 + 20] ^= 1; // in the second header
  const cases: readonly [string, () => string | void, string][] = [
    [
      "nothing at the path",
      () => at("none"),
      "DIR/none is not there; give the folder that holds CIFAR-10's six batches, or cifar-10-binary.tar.gz",
    ],
    [
      "an empty folder",
      () => undefined,
      "data_batch_1.bin (or .gz, .xz) is not in DIR; fetch CIFAR-10's binary version, cifar-10-binary.tar.gz, there",
    ],
    [
      "the version for Python",
      () => write({ data_batch_1: Buffer.alloc(9) }),
      "data_batch_1.bin (or .gz, .xz) is not in DIR (data_batch_1 is of another version of CIFAR-10); fetch CIFAR-10's binary version, cifar-10-binary.tar.gz, there",
    ],
    [
      "a missing batch",
      () => write(five),
      "test_batch.bin (or .gz, .xz) is not in DIR; fetch CIFAR-10's binary version, cifar-10-binary.tar.gz, there",
    ],
    [
      "a batch cut short",
      () => write({ ...five, "test_batch.bin": tested.subarray(0, 6000) }),
      "DIR/test_batch.bin has 6000 bytes unpacked, which is not a whole number of records of 3073; it is cut short, or not a batch of CIFAR-10's binary version",
    ],
    [
      "an empty batch",
      () => write({ ...five, "test_batch.bin": Buffer.alloc(0) }),
      "DIR/test_batch.bin is empty; fetch it again",
    ],
    [
      "a label above 9",
      () => write({ ...six, "data_batch_3.bin": labelled }),
      "DIR/data_batch_3.bin has label 10 in record 1; labels are 0 to 9",
    ],
    [
      "a damaged xz file",
      () => write({ ...five, "test_batch.bin.xz": damaged }),
      "cannot unpack DIR/test_batch.bin.xz as xz: its contents do not have the checksums that it says, or end too early; the file is corrupt or cut short, fetch it again",
    ],
    [
      "an xz file cut short",
      () => write({ ...five, "test_batch.bin.xz": xz(tested).subarray(0, 5000) }),
      "cannot unpack DIR/test_batch.bin.xz as xz: its contents do not have the checksums that it says, or end too early; the file is corrupt or cut short, fetch it again",
    ],
    [
      "a damaged gzip file",
      () => write({ ...five, "test_batch.bin.gz": gzip }),
      "cannot unpack DIR/test_batch.bin.gz as gzip: incorrect data check; the file is corrupt or cut short, fetch it again",
    ],
    [
      "a folder in a batch's place",
      () => (write(five), void mkdirSync(at("test_batch.bin"))),
      `test_batch.bin (or .gz, .xz) is not in DIR; fetch CIFAR-10's binary version, ${archive}, there`,
    ],
    [
      "an archive without a batch",
      () => write({ [archive]: archiveOf(five) }),
      `DIR/${archive} does not hold test_batch.bin; it is another archive`,
    ],
    [
      "an archive cut short",
      () => write({ [archive]: archiveOf(six).subarray(0, 1000) }),
      `cannot unpack DIR/${archive} as gzip: unexpected end of file; the file is corrupt or cut short, fetch it again`,
    ],
    [
      "a tar archive cut short",
      () => (write({ "a.tar": gunzipSync(archiveOf(six)).subarray(0, 9000) }), at("a.tar")),
      "DIR/a.tar is not a sound tar archive: it is damaged, cut short or none; fetch it again",
    ],
    [
      "a damaged header in an archive",
      () => (write({ "a.tar": broken }), at("a.tar")),
      "DIR/a.tar is not a sound tar archive: it is damaged, cut short or none; fetch it again",
    ],
    [
      "a file that is no archive",
      () => (write({ "notes.txt": Buffer.from("not an archive") }), at("notes.txt")),
      "DIR/notes.txt is not a sound tar archive: it is damaged, cut short or none; fetch it again",
    ],
    [
      "an archive packed twice",
      () => write({ [archive]: gzipSync(archiveOf(six)) }),
      `DIR/${archive} is not a sound tar archive: it is packed twice; fetch it again`,
    ],
    [
      "a bad record in an archive",
      () => write({ [archive]: archiveOf({ ...six, "data_batch_3.bin": labelled }) }),
      `data_batch_3.bin in DIR/${archive} has label 10 in record 1; labels are 0 to 9`,
    ],
  ];
  test.each(cases)("%s", async (_name, prepare, message) => {
    const place = prepare() ?? directory;
    const error: unknown = await cifar10({ directory: place }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message.replaceAll(directory, "DIR")).toBe(message);
  });
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("an archive that is downloaded", () => {
  let open: Mirror[];
  let warnings: string[];
  beforeEach(() => ([open, warnings] = [[], []]));
  afterEach(() => Promise.all(open.map((mirror) => mirror.close())));

  const remote = {
    name: archive,
    files: Object.entries(six).map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
  };
  const sends =
    (bytes: Buffer): Behaviour =>
    (response) =>
      void response.end(bytes);
  async function get(behaviours: readonly Behaviour[], options: RemoteOptions = {}) {
    open = await Promise.all(behaviours.map(serve));
    const urls = open.map(({ url }) => url);
    const onWarning = (text: string) => void warnings.push(text.replaceAll(directory, "DIR"));
    return archiveFiles("set", remote, urls, {
      cache: directory,
      backoffMilliseconds: 1,
      onWarning,
      ...options,
    });
  }
  const expectWhole = ({ files }: Awaited<ReturnType<typeof get>>) => {
    expect(files.map(({ bytes }) => sha256(bytes))).toEqual(Object.values(six).map(sha256));
    expect(readdirSync(at("set"))).toEqual([...batchNames]);
    for (const name of batchNames) expect(readFileSync(join(at("set"), name)).equals(six[name])).toBe(true);
  };

  test.each([
    ["as it is published", archiveOf(six)],
    ["packed by another", gzipSync(tar(six), { level: 1 })],
    ["packed as xz", xz(tar(six))],
    ["unpacked on its way", tar(six)],
  ])("is unpacked into the cache, %s", async (_name, bytes) => {
    expectWhole(await get([sends(bytes)]));
  });

  test("is not asked for again, and its folder is one for --data-dir", async () => {
    await get([sends(archiveOf(six))]);
    const again = await get([(response) => void response.writeHead(404).end()]);
    expectWhole(again);
    expect(open[0].requests).toEqual([]);
    expect(again.files.every(({ from }) => from === undefined)).toBe(true);
    expect((await cifar10({ directory: again.directory })).train.count).toBe(10);
  });

  test.each([
    [
      "damaged",
      () => writeFileSync(join(at("set"), "data_batch_4.bin"), batch(0, 2)),
      ["DIR/set/data_batch_4.bin does not count and is downloaded again: it is damaged"],
    ],
    ["lost", () => rmSync(join(at("set"), "data_batch_4.bin")), []],
  ])("comes again where a batch is %s", async (_name, damage, expected) => {
    await get([sends(archiveOf(six))]);
    damage();
    expectWhole(await get([sends(archiveOf(six))]));
    expect(warnings).toEqual(expected);
    expect(open[0].requests).toHaveLength(1);
  });

  test("comes again with force", async () => {
    await get([sends(archiveOf(six))]);
    await get([sends(archiveOf(six))], { force: true });
    expect(open[0].requests).toHaveLength(1);
  });

  const other = batch(50, 2);
  test.each<[string, Behaviour, string, number]>([
    ["sends a web page", sends(Buffer.from("<html>")), "it is a web page", 1],
    [
      "sends a part",
      sends(archiveOf(six).subarray(0, 1000)),
      "it does not unpack: unexpected end of file (3 times)",
      3,
    ],
    [
      "sends another archive",
      sends(archiveOf({ ...six, "data_batch_2.bin": other })),
      `its data_batch_2.bin is another file: ${other.length} bytes with SHA-256 ${sha256(other)}`,
      1,
    ],
    [
      "sends an archive without a batch",
      sends(archiveOf({ "a.bin": other })),
      "it does not hold data_batch_1.bin",
      1,
    ],
    [
      "sends what unpacks to much",
      sends(gzipSync(Buffer.alloc(2 ** 21))),
      `it unpacks to more than ${12 * 3073 + 2 ** 20} bytes`,
      1,
    ],
    ["does not have it", (response) => void response.writeHead(404).end(), "the server answers 404", 1],
  ])(
    "is refused from a mirror that %s, and taken from the next",
    async (_name, behaviour, reason, requests) => {
      const error: unknown = await get([behaviour]).catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(UserError);
      expect((error as UserError).message).toBe(
        `cannot download ${archive}; name other mirrors with --mirror, or a folder that has it with --data-dir\n  ${open[0].url}${archive}: ${reason}`,
      );
      expect(open[0].requests).toHaveLength(requests);
      expect(existsSync(at("set"))).toBe(false);
      await open[0].close();
      expectWhole(await get([behaviour, sends(archiveOf(six))]));
    },
  );
});

// The real batches: their checksums are part of fewbit.
const readme = readFileSync(
  fileURLToPath(new URL("../../data/cifar10-sample/README.md", import.meta.url)),
  "utf8",
);

test("the shipped sample holds 160 training and 40 test images of each class, as its README says", async () => {
  const { train, test: held, ...rest } = await cifar10Sample();
  expect(rest).toMatchObject({
    name: "cifar10-sample",
    classes: 10,
    shape: [32, 32, 3],
    std: [0.24703223, 0.24348513, 0.26158784],
  });
  for (const [set, name, each] of [
    [train, "train.webp", 160],
    [held, "test.webp", 40],
  ] as const) {
    expect(set.count).toBe(10 * each);
    expect([...set.labels]).toEqual(
      [...Array(10).keys()].flatMap((label) => Array<number>(each).fill(label)),
    );
    expect(readme).toContain(`| \`${name}\` | \`${sha256(set.images as Uint8Array)}\` |`);
  }
});

const { FEWBIT_DATA } = process.env;
const official = FEWBIT_DATA === undefined ? undefined : join(FEWBIT_DATA, "cifar10");
if (official !== undefined && existsSync(official)) {
  test("the real batches have 5,000 training and 1,000 test images per class, of the mean and deviation that are used", async () => {
    const { train, test: held, mean, std } = await cifar10({ directory: official });
    for (const [set, each] of [
      [train, 5000],
      [held, 1000],
    ] as const) {
      const counts = new Array<number>(10).fill(0);
      for (const label of set.labels) counts[label]++;
      expect(counts).toEqual(new Array(10).fill(each));
    }
    const pixels = train.images as Uint8Array;
    for (let channel = 0; channel < 3; channel++) {
      let [sum, squares] = [0, 0];
      for (let i = channel; i < pixels.length; i += 3) {
        sum += pixels[i];
        squares += pixels[i] ** 2;
      }
      const average = sum / (50_000 * 1024);
      expect(average / 255).toBeCloseTo(mean[channel], 7);
      expect(Math.sqrt(squares / (50_000 * 1024) - average ** 2) / 255).toBeCloseTo(std[channel], 7);
    }
    // The sample's images are among them, with their labels.
    const sample = await cifar10Sample();
    for (const [part, whole] of [
      [sample.train, train],
      [sample.test, held],
    ] as const) {
      const image = ({ images }: typeof part, i: number) =>
        Buffer.from(images.buffer, images.byteOffset + 3072 * i, 3072).toString("latin1");
      const known = new Set(Array.from(whole.labels, (label, i) => image(whole, i) + label));
      expect(Array.from(part.labels, (label, i) => known.has(image(part, i) + label))).not.toContain(false);
    }
  });
}
