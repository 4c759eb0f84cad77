/** The oldest Node that fewbit runs on: `engines` in package.json says it, and nothing else does. */
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** As "20.19". */
export const oldestNode = engines.node.replace(/^>=/, "");

/** Why fewbit does not run on a version of Node, in one line; undefined where it does. */
export function nodeProblem(version = process.versions.node) {
  const [major, minor] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `fewbit needs Node ${oldestNode} or newer, and this is ${version}; see https://nodejs.org`;
}
