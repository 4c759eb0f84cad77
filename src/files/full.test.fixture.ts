/** A disk without room for one file: what is written for it goes to a device that has no room for a single byte. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

/** Lasts until the function that it returns is called. */
export function fullFor(name: string): () => void {
  const { openSync, promises } = fs;
  const { open } = promises;
  const isOurs = (path: unknown, flags: unknown): boolean =>
    flags === "wx" && basename(String(path)).startsWith(`${name}.`);
  fs.openSync = (path, flags, mode) =>
    isOurs(path, flags) ? openSync("/dev/full", "w") : openSync(path, flags, mode);
  promises.open = (path, flags, mode) =>
    isOurs(path, flags) ? open("/dev/full", "w") : open(path, flags, mode);
  syncBuiltinESMExports();
  return () => {
    fs.openSync = openSync;
    promises.open = open;
    syncBuiltinESMExports();
  };
}
