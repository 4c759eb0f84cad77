/** The shipped part of CIFAR-10: two pictures of 40 images per row, class after class. */
import { fileURLToPath } from "node:url";
import { checkOptions } from "../errors/options.js";
import { cifar10Protocol as protocol } from "./cifar10.js";
import type { ArrayDataset } from "./dataset.js";
import type { ImageSet } from "./source.js";
import { checksumOf } from "./dataset.js";
import { decodeImages } from "./decode.js";

const side = 32;
const columns = 40;
const rowBytes = side * 3;

/** The shipped 1,600 training and 400 test images of CIFAR-10 (see data/cifar10-sample/README.md). */
export async function cifar10Sample(options: Readonly<Record<string, never>> = {}): Promise<ArrayDataset> {
  checkOptions("cifar10Sample", options, {});
  const [train, test] = await Promise.all([cut("train.webp", 160), cut("test.webp", 40)]);
  return {
    name: "cifar10-sample",
    train,
    test,
    ...protocol,
    checksum: checksumOf(train.images, train.labels, test.images, test.labels),
  };
}

/** The images of a picture with `each` of every class. */
async function cut(name: string, each: number): Promise<ImageSet> {
  const path = fileURLToPath(new URL(`../../data/cifar10-sample/${name}`, import.meta.url));
  const count = each * protocol.classes;
  const picture = await decodeImages([path], { shape: [(count / columns) * side, columns * side, 3] });
  const images = new Uint8Array(picture.length);
  for (let i = 0, out = 0; i < count; i++) {
    const corner = Math.floor(i / columns) * side * columns * rowBytes + (i % columns) * rowBytes;
    for (let y = 0; y < side; y++, out += rowBytes) {
      const from = corner + y * columns * rowBytes;
      images.set(picture.subarray(from, from + rowBytes), out);
    }
  }
  return { images, labels: Uint8Array.from({ length: count }, (_, i) => Math.floor(i / each)), count };
}
