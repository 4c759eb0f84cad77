/** `fewbit data`. */
import type { Command } from "commander";
import { dataRegistry, dataSetNamed } from "../data/index.js";
import { listed, quoted, suggestion, UserError } from "../errors.js";
import { showLoading } from "./loading.js";
import { print } from "./text.js";

interface Flags {
  readonly cache?: string;
  readonly mirror?: readonly string[];
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function dataCommand(name: string, command: Command): Promise<void> {
  const { title, download } = dataSetNamed(name) ?? {};
  if (download === undefined) {
    const names = dataRegistry.names.filter((known) => dataSetNamed(known)?.download !== undefined);
    throw new UserError(
      `data to download must be ${listed(names, "or")}, got "${name}"${suggestion(name, names)}`,
    );
  }
  const { cache, mirror: mirrors, force, quiet = false, json = false } = command.opts<Flags>();
  const loading = showLoading(quiet || json);
  try {
    const { directory, files } = await download.load({ cache, mirrors, force, ...loading });
    if (json) {
      const paths = files.map(({ path, from }) => ({ path, from: from ?? null }));
      print(JSON.stringify({ data: name, directory, files: paths }));
      return;
    }
    const how = files.some(({ from }) => from !== undefined) ? "" : " already";
    print(`${title} is${how} in ${directory}, ${download.files} files with the right checksums`);
    const flag = cache === undefined ? "" : ` --data-dir ${quoted(directory)}`;
    if (!quiet) print(`train on it with: npx fewbit train ${download.network} --data ${name}${flag}`);
  } catch (error) {
    throw error instanceof UserError && error.field === "mirrors"
      ? new UserError(`${error.message} (from --mirror)`)
      : error;
  } finally {
    loading.stop();
  }
}
