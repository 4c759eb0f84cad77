/** `fewbit data shard`. */
import type { Command } from "commander";
import { writeShards } from "../data/index.js";
import { quoted, UserError } from "../errors.js";
import { showLoading } from "./loading.js";
import { print } from "./text.js";

interface Flags {
  readonly out: string;
  readonly size?: number;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function shardCommand(directory: string, command: Command): Promise<void> {
  const { out, size, quiet = false, json = false } = command.opts<Flags>();
  const above = command.parent?.options.find(
    (option) => command.parent?.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (above !== undefined) {
    throw new UserError(
      `${above.long} stands before "shard", where it has no effect; leave it out, or give it after that`,
    );
  }
  const loading = showLoading(quiet || json);
  try {
    const { onProgress, onWarning } = loading;
    const { wereThere, ...written } = await writeShards({ directory, out, size, onProgress, onWarning });
    loading.stop();
    if (json) {
      print(JSON.stringify(written));
      return;
    }
    const count = (images: number) => images.toLocaleString("en-US");
    const { data, classes, train, val } = written;
    print(
      `${count(train)} images to train on and ${count(val)} to test with, of ${classes} classes, are${wereThere ? " already" : ""} in ${out}`,
    );
    if (!quiet)
      print(`train on them with: npx fewbit train resnet18 --data ${data} --data-dir ${quoted(out)}`);
  } catch (error) {
    const flag = error instanceof UserError && flags[error.field ?? ""];
    throw flag ? new UserError(`${(error as UserError).message} (from ${flag})`) : error;
  } finally {
    loading.stop();
  }
}

const flags: Readonly<Record<string, string>> = { out: "--out", size: "--size" };
