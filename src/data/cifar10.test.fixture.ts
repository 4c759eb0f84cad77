/** Small batches in CIFAR-10's binary format, and archives of them. */
import { crc32, gzipSync } from "node:zlib";

export const batchNames = [...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`), "test_batch.bin"] as const;

/** The value of a pixel of an image, from 0 to 255; no two images of a set are alike. */
export const valueAt = (image: number, y: number, x: number, channel: number): number =>
  (41 * image + 7 * y + 3 * x + 89 * channel) % 256;

/** Records of `count` images from number `first` on, whose labels are their numbers modulo 10. */
export function batch(first: number, count: number): Buffer {
  const records = Array.from({ length: count }, (_, i) => {
    const planes = [0, 1, 2].flatMap((channel) =>
      Array.from({ length: 1024 }, (_, at) => valueAt(first + i, at >> 5, at & 31, channel)),
    );
    return Buffer.from([(first + i) % 10, ...planes]);
  });
  return Buffer.concat(records);
}

/** Six batches, of 2 images each by default. */
export function sixBatches(count = 2): Record<string, Buffer> {
  return Object.fromEntries(batchNames.map((name, i) => [name, batch(count * i, count)]));
}

/** A tar archive in the format of POSIX.1-1988 (ustar). */
export function tar(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const parts = Object.entries(files).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512);
    const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
    header.write(name, 0);
    header.write(octal(0o644, 7), 100);
    header.write(octal(0, 7) + octal(0, 7) + octal(bytes.length, 11) + octal(0, 11), 108);
    header.write("        0", 148);
    header.write("ustar\x0000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** The archive as it is published: packed, in a folder, with files beside the batches. */
export function archiveOf(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const inFolder = Object.entries(files).map(([name, bytes]) => [`cifar-10-batches-bin/${name}`, bytes]);
  const beside = { "cifar-10-batches-bin/readme.html": Buffer.from("<html></html>") };
  return gzipSync(tar({ ...beside, ...(Object.fromEntries(inFolder) as Record<string, Buffer>) }));
}

/** An xz file (format 1.2.0) whose LZMA2 chunks are stored as they are. */
export function xz(bytes: Uint8Array): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 2 ** 16) {
    const chunk = bytes.subarray(at, at + 2 ** 16);
    // 1: a stored chunk that begins a new dictionary; 2: a further one.
    const head = Buffer.of(at === 0 ? 1 : 2, (chunk.length - 1) >> 8, (chunk.length - 1) & 255);
    chunks.push(head, Buffer.from(chunk));
  }
  const data = Buffer.concat([...chunks, Buffer.of(0)]);
  const flags = Buffer.of(0, 1); // the check is a CRC32
  const blockHeader = withCrc(Buffer.of(2, 0, 0x21, 1, 0x16, 0, 0, 0));
  const unpadded = blockHeader.length + data.length + 4;
  const index = withCrc(padded(Buffer.of(0, 1, ...variable(unpadded), ...variable(bytes.length))));
  const backward = Buffer.alloc(4);
  backward.writeUInt32LE(index.length / 4 - 1);
  const footer = Buffer.concat([backward, flags]);
  return Buffer.concat([
    ...[Buffer.from("\xfd7zXZ\0", "latin1"), withCrc(flags), blockHeader, padded(data), crc(bytes), index],
    ...[crc(footer), footer, Buffer.from("YZ")],
  ]);
}

function crc(bytes: Uint8Array): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(crc32(bytes));
  return word;
}
const withCrc = (bytes: Uint8Array) => Buffer.concat([bytes, crc(bytes)]);
const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
/** Seven bits a byte, the lowest first. */
const variable = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...variable(value >> 7)];
