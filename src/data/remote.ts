/** Files that are downloaded when they are first asked for, and known by their contents ever after. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { checkPath, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { abortSignal, flag, notNegative, optional, positive, text, whole } from "../errors/options.js";
import { cacheDirectory, checkWritable, writeWhole } from "./cache.js";
import { listenerRules } from "./check.js";
import { largest, readBytesAside } from "../files/read.js";
import { removeTemporaries } from "../files/write.js";
import type { LoadListeners } from "./dataset.js";
import { checksumOf } from "./dataset.js";
import type { DownloadOptions } from "./download.js";
import { Unfit, download, isMirror } from "./download.js";
import { UnpackError, packingOf, unpack } from "./unpack.js";

/** A packed file, by a checksum. */
export interface RemoteFile {
  /** With `.gz`. */
  readonly name: string;
  readonly unpackedBytes: number;
  /** The checksum of the unpacked bytes, since packers differ, unless `of` says otherwise. */
  readonly sha256: string;
  /** "packed": the SHA-256 is of the file as it is packed, which alone is published of some. */
  readonly of?: "packed";
}

/** How files are downloaded, and where they are kept. */
export interface RemoteOptions extends LoadListeners, Partial<Omit<DownloadOptions, "onProgress">> {
  /** The folder of all downloads; default `cacheDirectory()`. */
  readonly cache?: string;
  /** Downloads what is there already, too. */
  readonly force?: boolean;
}

/** The rules of a data set that is downloaded, with the folder that may have it already. */
export const remoteRules: Rules<RemoteOptions & { readonly directory?: string }> = {
  ...listenerRules,
  directory: optional(text),
  cache: optional(text),
  force: optional(flag),
  mirrors: optional({
    allowed: "http or https URLs of folders, at least one",
    test: (urls) =>
      Array.isArray(urls) && urls.length > 0 && urls.every((url) => typeof url === "string" && isMirror(url)),
  }),
  retries: optional(whole(0, 1000)),
  backoffMilliseconds: optional(notNegative),
  stallMilliseconds: optional(positive),
  maximumBytes: optional(positive),
  signal: optional(abortSignal),
};

export interface LocalFile {
  readonly path: string;
  /** Unpacked. */
  readonly bytes: Uint8Array;
  /** The URL, if it was downloaded just now. */
  readonly from: string | undefined;
}

/**
 * The files of a data set in CACHE/SET, downloaded where they are not there or not whole.
 *
 * @throws UserError if no mirror has one, or the cache cannot be written.
 */
export async function remoteFiles(
  set: string,
  files: readonly RemoteFile[],
  mirrors: readonly string[],
  options: RemoteOptions = {},
): Promise<{ directory: string; files: LocalFile[] }> {
  const { directory, from } = cacheFor(set, mirrors, options);
  const found: LocalFile[] = [];
  // One after the other: a mirror's bandwidth is the limit, and the first failure ends it.
  for (const file of files) found.push(await remoteFile(directory, file, { ...options, mirrors: from }));
  return { directory, files: found };
}

/** A set's folder in the cache, and the mirrors to fill it from. @throws UserError for invalid mirrors */
export function cacheFor(
  set: string,
  mirrors: readonly string[],
  options: RemoteOptions,
): { directory: string; from: readonly string[] } {
  const from = options.mirrors ?? mirrors;
  const bad = from.find((mirror) => !isMirror(mirror));
  if (bad !== undefined || from.length === 0) {
    throw new UserError(`mirrors must be http or https URLs of folders, got "${bad ?? "none"}"`, "mirrors");
  }
  const { cache = cacheDirectory() } = options;
  checkPath("cache", cache);
  const directory = join(cache, set);
  removeTemporaries(directory);
  return { directory, from };
}

async function remoteFile(
  directory: string,
  file: RemoteFile,
  { force = false, onProgress, onWarning, ...options }: RemoteOptions & Pick<DownloadOptions, "mirrors">,
): Promise<LocalFile> {
  const { name, unpackedBytes } = file;
  const path = join(directory, name);
  if (!force && existsSync(path)) {
    try {
      return { path, bytes: await contents(file, await readBytesAside(path, largest.data)), from: undefined };
    } catch (error) {
      onWarning?.(`${path} does not count and is downloaded again: ${(error as Error).message}`);
    }
  }
  checkWritable(directory);
  const { result, url } = await download(
    name,
    async (sent) => {
      const bytes = await contents(file, sent);
      // Some servers unpack what they send, or the connection does.
      return { bytes, packed: isPacked(sent) ? sent : await promisify(gzip)(sent) };
    },
    {
      maximumBytes: unpackedBytes + 2 ** 16,
      ...options,
      onProgress: ({ bytes: done, total }) => onProgress?.({ what: name, unit: "bytes", done, total }),
    },
  );
  const { bytes, packed } = result;
  writeWhole(path, packed);
  onProgress?.({ what: name, unit: "bytes", done: packed.length, total: packed.length, from: url });
  return { path, bytes, from: url };
}

const isPacked = (bytes: Uint8Array) => packingOf(bytes) === "gzip";

/** Unpacks bytes, which may be unpacked already, and throws `Unfit` unless they are the file. */
async function contents({ unpackedBytes, sha256, of }: RemoteFile, bytes: Uint8Array): Promise<Uint8Array> {
  const unpacked = await unpack(bytes, unpackedBytes).catch((error: unknown) => {
    throw asUnfit(error);
  });
  const counted = of === "packed" ? bytes : unpacked;
  const digest = checksumOf(counted);
  if (digest === sha256) return unpacked;
  if (looksLikePage(unpacked)) throw new Unfit("it is a web page", false);
  throw new Unfit(`it is another file: ${counted.length} bytes with SHA-256 ${digest}`, false);
}

/** What an error while unpacking says of the bytes that were sent: what is cut short may come whole the next time. */
export function asUnfit(error: unknown): unknown {
  if (!(error instanceof UnpackError)) return error;
  const { message, isTooLarge } = error;
  return new Unfit(isTooLarge ? message : `it does not unpack: ${message}`, !isTooLarge);
}

/** Whether a server sent a page, as some do for what they do not have. */
export const looksLikePage = (bytes: Uint8Array) =>
  /^\s*</.test(Buffer.from(bytes.subarray(0, 64)).toString("latin1"));
