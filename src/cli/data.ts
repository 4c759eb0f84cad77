/** `fewbit data`. */
import type { Command } from "commander";
import { downloadCifar10, downloadFashionMnist, downloadKmnist, downloadMnist } from "../data/index.js";
import { quoted, suggestion, UserError } from "../errors.js";
import { showLoading } from "./loading.js";
import { print } from "./text.js";

interface Flags {
  readonly cache?: string;
  readonly mirror?: readonly string[];
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const sets = {
  mnist: { title: "MNIST", count: "four", model: "lenet5", download: downloadMnist },
  "fashion-mnist": {
    title: "Fashion-MNIST",
    count: "four",
    model: "lenet5",
    download: downloadFashionMnist,
  },
  kmnist: { title: "KMNIST", count: "four", model: "lenet5", download: downloadKmnist },
  cifar10: { title: "CIFAR-10", count: "six", model: "resnet20", download: downloadCifar10 },
} as const;

function isSet(name: string): name is keyof typeof sets {
  return Object.hasOwn(sets, name);
}

export async function dataCommand(name: string, command: Command): Promise<void> {
  if (!isSet(name)) {
    const names = Object.keys(sets);
    throw new UserError(
      `data to download must be ${names.slice(0, -1).join(", ")} or ${names.at(-1)}, got "${name}"${suggestion(name, names)}`,
    );
  }
  const { title, count, model, download } = sets[name];
  const { cache, mirror: mirrors, force, quiet = false, json = false } = command.opts<Flags>();
  const loading = showLoading(quiet || json);
  try {
    const { directory, files } = await download({ cache, mirrors, force, ...loading });
    if (json) {
      const paths = files.map(({ path, from }) => ({ path, from: from ?? null }));
      print(JSON.stringify({ data: name, directory, files: paths }));
      return;
    }
    const how = files.some(({ from }) => from !== undefined) ? "" : " already";
    print(`${title} is${how} in ${directory}, ${count} files with the right checksums`);
    const flag = cache === undefined ? "" : ` --data-dir ${quoted(directory)}`;
    if (!quiet) print(`train on it with: npx fewbit train ${model} --data ${name}${flag}`);
  } catch (error) {
    throw error instanceof UserError && error.field === "mirrors"
      ? new UserError(`${error.message} (from --mirror)`)
      : error;
  } finally {
    loading.stop();
  }
}
