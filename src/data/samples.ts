/**
 * The samples of a WebDataset shard: files that follow one another and share a name up to its first dot
 * (https://github.com/webdataset/webdataset).
 */
import { basename } from "node:path";
import { isObject } from "../errors/options.js";
import { whyUnread } from "../files/reasons.js";
import { layoutOf, problem } from "./layout.js";
import { decodeRules } from "./rules.js";
import { TarError, membersOf } from "./tar.js";

const layout = layoutOf(decodeRules);

export interface Sample {
  /** What the names of its files begin with. */
  readonly key: string;
  readonly image: { readonly name: string; readonly bytes: number; readonly offset: number } | undefined;
  readonly label: number;
}

/** The name of a sample, and what of it a file holds, by the file's name: all up to the first dot, and what follows. */
export function keyOf(name: string): readonly [key: string, part: string] {
  const dot = name.indexOf(".", name.lastIndexOf("/") + 1);
  return dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1).toLowerCase()];
}

const isImagePart = (part: string): boolean => layout.extensions.includes(`.${part}`);

/** The samples of a shard, with their images and classes. @throws UserError for a damaged one, or a sample without a class */
export async function samplesIn(path: string): Promise<Sample[]> {
  const isClass = (name: string) => ["cls", "json"].includes(keyOf(name)[1]);
  const members = await membersOf(path, isClass).catch((error: unknown) => {
    throw problem(
      error instanceof TarError
        ? `${path} cannot be read as a tar archive: ${error.message}`
        : `cannot read ${path}: ${whyUnread(error)}`,
    );
  });
  const samples: Sample[] = [];
  for (let at = 0; at < members.length;) {
    const [key] = keyOf(members[at].name);
    const parts = new Map<string, (typeof members)[number]>();
    for (; at < members.length && keyOf(members[at].name)[0] === key; at++) {
      parts.set(keyOf(members[at].name)[1], members[at]);
    }
    const image = [...parts].find(([part]) => isImagePart(part))?.[1];
    samples.push({ key, image, label: image === undefined ? -1 : labelOf(path, key, parts) });
  }
  return samples;
}

/** The class of a sample: the number that KEY.cls holds, or KEY.json as "label" or "cls". */
function labelOf(
  path: string,
  key: string,
  parts: ReadonlyMap<string, { readonly content?: Buffer; readonly offset: number }>,
): number {
  const cls = parts.get("cls");
  const json = parts.get("json");
  if (cls === undefined && json === undefined) {
    throw problem(
      `${path} has the image ${key} without a class; add ${key}.cls, which holds the number of its class, or ${key}.json with "label"`,
    );
  }
  const value = cls === undefined ? fieldOf(json?.content) : textOf(cls.content).trim();
  const label = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof label === "number" && Number.isInteger(label) && label >= 0 && label < mostClasses) return label;
  const [part, { offset }] =
    cls === undefined ? (["json", json] as [string, { offset: number }]) : ["cls", cls];
  throw problem(
    `${path} has ${value === undefined ? 'neither "label" nor "cls"' : JSON.stringify(value)} for the class of ${key} (${basename(key)}.${part} at byte ${offset}); it must be a number from 0`,
  );
}

/** More are a mistake in the file, for which memory is not to be asked. */
export const mostClasses = 1_000_000;

const textOf = (content: Buffer | undefined): string => content?.toString("utf8") ?? "";

function fieldOf(content: Buffer | undefined): unknown {
  try {
    const value: unknown = JSON.parse(textOf(content));
    return isObject(value) ? (value.label ?? value.cls) : undefined;
  } catch {
    return undefined;
  }
}
