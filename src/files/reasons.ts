/** Why a file cannot be read or written, in words; the system has codes. */

type SystemError = Pick<NodeJS.ErrnoException, "code" | "message" | "path">;

/** What holds for reading and for writing. */
const common: Readonly<Record<string, string>> = {
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is a file",
  ELOOP: "its symbolic links go in a circle",
  ENAMETOOLONG: "its name is too long",
  ENXIO: "it is a pipe, a socket or a device, and no file",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open on this machine",
  EIO: "the disk reports an error",
  EBUSY: "it is in use",
  ESTALE: "the server of its disk no longer knows it",
};

const unread: Readonly<Record<string, string>> = {
  ...common,
  ENOENT: "there is no such file",
  EACCES: "reading it is not allowed",
  EPERM: "reading it is not allowed",
};

/** Each with what mends it where that is known. */
const unwritten: Readonly<Record<string, readonly [reason: string, remedy?: string]>> = {
  ...Object.fromEntries(Object.entries(common).map(([code, reason]) => [code, [reason]])),
  ELOOP: ["it is a symbolic link, and fewbit does not write through one"],
  ENOENT: ["nothing can be made there"],
  EACCES: ["writing there is not allowed"],
  EPERM: ["writing there is not allowed"],
  EROFS: ["the disk can only be read"],
  ENOSPC: ["no space is left on the disk (ENOSPC)", "make room"],
  EDQUOT: ["the quota of disk space is used up (EDQUOT)", "make room"],
  EFBIG: [
    "the file would be larger than files may be here (EFBIG)",
    "allow larger files, for example with ulimit -f",
  ],
};

/** Why a file or folder cannot be read. */
export function whyUnread(error: unknown): string {
  const { code = "", message, path = "" } = error as SystemError;
  // What the command line does not take for UTF-8 stands as this character in its arguments.
  if (code === "ENOENT" && path.includes("\ufffd")) {
    return "there is no such file; one whose name is not UTF-8 can only be reached by giving the folder that it is in";
  }
  return Object.hasOwn(unread, code) ? unread[code] : code || message;
}

/** Why a file or folder cannot be written, and what mends it where that is known. */
export function whyUnwritten(error: unknown): { readonly reason: string; readonly remedy?: string } {
  const { code = "", message } = error as SystemError;
  if (!Object.hasOwn(unwritten, code)) return { reason: code || message };
  const [reason, remedy] = unwritten[code];
  return { reason, remedy };
}
