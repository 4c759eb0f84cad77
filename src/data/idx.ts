/**
 * IDX, the format of MNIST's files: a magic number (0, 0, element type, dimensions), the extent of
 * each dimension as a big-endian 32-bit integer, then the elements.
 * Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
 *
 * The reader believes nothing in a header before the file's length has confirmed it.
 */
import { UserError } from "../errors.js";

const imagesMagic = 0x00000803; // unsigned bytes, three dimensions
const labelsMagic = 0x00000801; // unsigned bytes, one dimension
const imagesHeaderBytes = 16;
const labelsHeaderBytes = 8;
const maximumExtent = 256;

export interface IdxImages {
  readonly data: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

/** Images of an IDX3 file's unpacked bytes; `file` is its name in messages. The data is a view of `bytes`. */
export function parseImages(bytes: Uint8Array, file: string): IdxImages {
  const [count, height, width] = readHeader(bytes, file, imagesMagic, imagesHeaderBytes);
  if (count === 0 || [height, width].some((extent) => extent < 1 || extent > maximumExtent)) {
    throw new UserError(
      `${file} says it holds ${count} images of ${height}x${width}; at least one image of 1x1 to ${maximumExtent}x${maximumExtent} is allowed`,
    );
  }
  checkLength(
    bytes,
    file,
    imagesHeaderBytes + count * height * width,
    `${count} images of ${height}x${width}`,
  );
  return { data: bytes.subarray(imagesHeaderBytes), count, height, width };
}

/** Labels of an IDX1 file's unpacked bytes, each below `classes`. A view of `bytes`. */
export function parseLabels(bytes: Uint8Array, file: string, classes: number): Uint8Array {
  const [count] = readHeader(bytes, file, labelsMagic, labelsHeaderBytes);
  checkLength(bytes, file, labelsHeaderBytes + count, `${count} labels`);
  const labels = bytes.subarray(labelsHeaderBytes);
  const bad = labels.findIndex((label) => label >= classes);
  if (bad >= 0) {
    throw new UserError(
      `${file} has label ${labels[bad]} at position ${bad}; labels are 0 to ${classes - 1}`,
    );
  }
  return labels;
}

/** Refuses image and label files that do not belong together. */
export function checkCounts(
  images: IdxImages,
  imagesFile: string,
  labels: Uint8Array,
  labelsFile: string,
): void {
  if (images.count !== labels.length) {
    throw new UserError(
      `${imagesFile} has ${images.count} images but ${labelsFile} has ${labels.length} labels; take both from one set`,
    );
  }
}

/** The extents after the magic number. */
function readHeader(bytes: Uint8Array, file: string, magic: number, headerBytes: number): number[] {
  const wanted = magic === imagesMagic ? "images" : "labels";
  if (bytes.length < headerBytes) {
    throw new UserError(
      `${file} is cut short: it has ${bytes.length} bytes, a file of ${wanted} has ${headerBytes} or more`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(0);
  if (found !== magic) {
    if (found === imagesMagic || found === labelsMagic) {
      const other = found === imagesMagic ? "images" : "labels";
      throw new UserError(
        `${file} should hold ${wanted} but holds ${other}; the two files seem to be swapped`,
      );
    }
    throw new UserError(
      `${file} is not an IDX file of ${wanted}: it starts with ${hex(found)} instead of ${hex(magic)}`,
    );
  }
  return Array.from({ length: headerBytes / 4 - 1 }, (_, i) => view.getUint32(4 + 4 * i));
}

function checkLength(bytes: Uint8Array, file: string, expected: number, content: string): void {
  if (bytes.length < expected) {
    throw new UserError(`${file} is cut short: ${content} need ${expected} bytes, it has ${bytes.length}`);
  }
  if (bytes.length > expected) {
    throw new UserError(
      `${file} has ${bytes.length - expected} bytes too many: ${content} need ${expected} bytes, it has ${bytes.length}`,
    );
  }
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, "0")}`;
}
