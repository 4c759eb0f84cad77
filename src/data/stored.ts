/** Where the bytes of an image are: in a file of its own, or in an archive. */
import { largest, readFileAside } from "../files/read.js";
import { onDisk } from "./paths.js";

export interface StoredImage {
  /** The path of its file, or what messages call it. */
  readonly path: string;
  /** The file in an archive, if that is what it is. */
  readonly member?: {
    /** Without folders. */
    readonly name: string;
    readonly bytes: number;
    /** Reads it. Fails with the system's error, or one that says the reason. */
    read(): Promise<Buffer>;
  };
}

/** Images by number, as one listing found them. */
export interface FileList {
  readonly count: number;
  /** The bytes of each, at most 2^32 - 1. */
  readonly sizes: ArrayLike<number>;
  /** The name of an image's file, without folders. */
  name(index: number): string;
  image(index: number): StoredImage;
}

/** Some images of a list, and the index of each one's class. */
export interface LabelledFiles {
  readonly files: FileList;
  readonly indices: Uint32Array;
  readonly labels: Int32Array;
}

/** The bytes of an image. @throws the system's error, or one that says the reason. */
export const readStored = (image: StoredImage): Promise<Buffer> =>
  image.member?.read() ?? readFileAside(onDisk(image.path), largest.data);
