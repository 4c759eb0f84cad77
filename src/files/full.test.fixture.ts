/** A disk without room for one file: what is written for it goes to a device that has no room for a single byte. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

/** Lasts until the function that it returns is called. */
export function fullFor(name: string): () => void {
  const { openSync } = fs;
  fs.openSync = (path, flags, mode) => {
    const isOurs = flags === "wx" && basename(String(path)).startsWith(`${name}.`);
    return isOurs ? openSync("/dev/full", "w") : openSync(path, flags, mode);
  };
  syncBuiltinESMExports();
  return () => {
    fs.openSync = openSync;
    syncBuiltinESMExports();
  };
}
