/** The classes of ImageNet's validation images where these lie in one folder, by the competition's list or the development kit. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { firstLineOf, shown } from "../errors.js";
import { largest, readFile, readText } from "../files/read.js";
import { problem } from "./layout.js";
import { readStructures } from "./matlab.js";

/** What the competition and the development kit call the file with the classes of the validation images. */
const solution = "LOC_val_solution.csv";
const truthOfKit = "ILSVRC2012_validation_ground_truth.txt";
/** Where in a folder the file of the kit may be. */
const kits = ["", "data", join("ILSVRC2012_devkit_t12", "data")];

interface GroundTruth {
  readonly file: string;
  /** The WordNet id of each image, by its name without an ending. */
  readonly classes: ReadonlyMap<string, string>;
}

/** The classes of validation images that lie in one folder. @throws UserError where no file in `places` says them */
export function groundTruth(val: string, places: readonly string[]): GroundTruth {
  const there = (names: readonly string[]) =>
    places.flatMap((place) => names.map((name) => join(place, name))).find((path) => existsSync(path));
  const list = there([solution]);
  if (list !== undefined) return { file: list, classes: readSolution(list) };
  const file = there(kits.map((folder) => join(folder, truthOfKit)));
  if (file !== undefined) return { file, classes: readKit(file) };
  throw problem(
    `${val} does not say of which classes its images are; put those of each class in a folder of its name, or the competition's ${solution}, or the folder ILSVRC2012_devkit_t12, into ${places[0]}`,
  );
}

/** Classes of lines that are numbers, the n-th of which is that of image n, and stand for WordNet ids in meta.mat. */
function readKit(file: string): ReadonlyMap<string, string> {
  const meta = join(dirname(file), "meta.mat");
  const wnids = new Map<unknown, unknown>();
  try {
    for (const { ILSVRC2012_ID: id, WNID: wnid } of readStructures(readFile(meta, largest.data))) {
      wnids.set(id, wnid);
    }
  } catch (error) {
    throw problem(`cannot read ${meta}, which says what the numbers of ${file} mean: ${firstLineOf(error)}`);
  }
  const classes = new Map<string, string>();
  const lines = readText(file, largest.lines).trimEnd().split(/\r?\n/);
  lines.forEach((line, i) => {
    const wnid = wnids.get(Number(line));
    if (typeof wnid !== "string") {
      throw problem(`${file} has the class ${shown(line)} in line ${i + 1}, which ${meta} does not name`);
    }
    classes.set(`ILSVRC2012_val_${String(i + 1).padStart(8, "0")}`, wnid);
  });
  return classes;
}

/** The WordNet id of each image, of lines "ILSVRC2012_val_00048981,n03995372 85 1 499 272 ...". */
function readSolution(file: string): ReadonlyMap<string, string> {
  const classes = new Map<string, string>();
  for (const line of readText(file, largest.lines).split(/\r?\n/)) {
    const [, image, wnid] = /^([^,]+),(n\d{8})\b/.exec(line) ?? [];
    if (image !== undefined) classes.set(image, wnid);
  }
  return classes;
}
