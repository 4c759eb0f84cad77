/** CIFAR-10's batches: as they are, packed as gzip or xz, or in a tar archive, packed or not. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { cifar10 } from "../../../dist/data/cifar10.js";
import { mutateBytes } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";

const recordBytes = 3073;
const names = [...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`), "test_batch.bin"];
const record = (label) =>
  Buffer.from(Array.from({ length: recordBytes }, (_, i) => (i === 0 ? label : i % 7)));
const whole = names.map((_, i) => (i === 2 ? Buffer.concat([record(3), record(4)]) : record(i)));

/** Two records of zeros, packed by xz 5.4. */
const xz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4BgBACJdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLSZiZ2AAAAAACWgcJREOPMsQABPoIwAAAAU6koxrHEZ/sCAAAAAARZWg==",
  "base64",
);
/** Unpacks to a thousand times its size. */
const zeros = gzipSync(Buffer.alloc(2 ** 23));

function header(name, size) {
  const bytes = Buffer.alloc(512);
  bytes.write(name, 0);
  bytes.write(
    `0000644\0${"0000000\0".repeat(2)}${size.toString(8).padStart(11, "0")}\0${"0".repeat(11)}\0`,
    100,
  );
  bytes.write("        0", 148);
  bytes.write("ustar\x0000", 257);
  return withSum(bytes);
}
function withSum(bytes) {
  bytes.fill(" ", 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

/** Damage that the sum of a header does not tell. */
function tar(batches, random) {
  const parts = batches.flatMap((bytes, i) => {
    let head = header(`cifar-10-batches-bin/${names[i]}`, bytes.length);
    if (random.chance(0.1))
      head = withSum(Buffer.concat([mutateBytes(head, random), Buffer.alloc(512)]).subarray(0, 512));
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(random.pick([0, 512, 1024]))]);
}

const archive = "cifar-10-binary.tar.gz";

export function prepare(folder) {
  const place = join(folder, "data");
  return {
    make(random) {
      const damaged = random.integer(0, names.length - 1);
      const batches = whole.map((bytes, i) => {
        if (i !== damaged || random.chance(0.4)) return bytes;
        return random.chance(0.2)
          ? record(random.pick([9, 10, 255]))
          : mutateBytes(bytes, random, [...whole, zeros]);
      });
      if (random.chance(0.4)) {
        const plain = tar(batches, random);
        const packed = random.chance(0.5) ? gzipSync(plain) : plain;
        return { [archive]: random.chance(0.4) ? mutateBytes(packed, random, [zeros, xz]) : packed };
      }
      return Object.fromEntries(
        batches.map((bytes, i) => {
          const packed = random.pick([() => bytes, () => gzipSync(bytes), () => (i === 5 ? xz : bytes)])();
          const isHit = i === damaged && random.chance(0.4);
          return [names[i], isHit ? mutateBytes(packed, random, [zeros, xz]) : packed];
        }),
      );
    },
    async check(files) {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place);
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(place, name), bytes);
      for (const directory of [place, ...(archive in files ? [join(place, archive)] : [])]) {
        const data = await outcomeOf(() => cifar10({ directory }));
        if (data === undefined) continue;
        for (const { images, labels, count } of [data.train, data.test]) {
          must(count > 0 && images.length === 3072 * count && labels.length === count, "sizes that differ");
          must(
            labels.every((label) => label < 10),
            "a label of 10 or more",
          );
        }
        checkFirst(data, files);
      }
    },
  };
}

/** The first batch's first image, where the file is not packed. */
function checkFirst({ train }, files) {
  const bytes = files[names[0]];
  if (bytes === undefined) return;
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  if (plain[0] === 0xfd) return;
  must(train.labels[0] === plain[0], "a label that is not the file's");
  for (const at of [0, 77, 1023]) {
    for (let channel = 0; channel < 3; channel++) {
      must(
        train.images[3 * at + channel] === plain[1 + 1024 * channel + at],
        "a pixel that is not the file's",
      );
    }
  }
}
