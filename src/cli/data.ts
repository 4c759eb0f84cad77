/** `fewbit data`. */
import type { Command } from "commander";
import { downloadMnist } from "../data/index.js";
import { suggestion, UserError } from "../errors.js";
import { showLoading } from "./loading.js";

interface Flags {
  readonly cache?: string;
  readonly mirror?: readonly string[];
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function dataCommand(name: string, command: Command): Promise<void> {
  if (name !== "mnist") {
    throw new UserError(`data to download must be mnist, got "${name}"${suggestion(name, ["mnist"])}`);
  }
  const { cache, mirror: mirrors, force, quiet = false, json = false } = command.opts<Flags>();
  if (cache === "") throw new UserError('cache must be a text that is not empty, got "" (from --cache)');
  const loading = showLoading(quiet || json);
  try {
    const { directory, files } = await downloadMnist({ cache, mirrors, force, ...loading });
    if (json) {
      const paths = files.map(({ path, from }) => ({ path, from: from ?? null }));
      console.log(JSON.stringify({ data: name, directory, files: paths }));
      return;
    }
    const how = files.some(({ from }) => from !== undefined) ? "" : " already";
    console.log(`MNIST is${how} in ${directory}, four files with the right checksums`);
    const flag = cache === undefined ? "" : ` --data-dir ${directory}`;
    if (!quiet) console.log(`train on it with: npx fewbit train lenet5 --data mnist${flag}`);
  } catch (error) {
    throw error instanceof UserError && error.field === "mirrors"
      ? new UserError(`${error.message} (from --mirror)`)
      : error;
  } finally {
    loading.stop();
  }
}
