/** The command line: reads the arguments, runs a command, turns errors into one line and an exit code. */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { DivergenceError, printable, UserError } from "../errors.js";
import { exitCodes } from "./exit.js";
import {
  codeFlags,
  flagsOf,
  number,
  outputFlags,
  refuseModelFlag,
  settingFlags,
  storedCodeFlags,
  studyFlags,
} from "./flags.js";
import { say } from "./text.js";

const exitText = `
Exit codes:
  0    done
  2    a mistake in the arguments, a file or the data (nothing on disk has changed), or a full disk (the last checkpoint is kept)
  3    the loss became NaN or infinite; the last checkpoint is kept
  130  interrupted, or stopped on request; the run is saved and can be resumed`;

const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n${exitText}`;

const modelHelp =
  "the network: lenet5, alexnet, resnet18, resnet20, resnet50, resnet with --depth, vgg16, or a file, such as ./net.mjs";

/** Refuses a name, a path or any other text that is empty. @throws UserError with the argument or the flag */
function refuseEmpty(command: Command): void {
  const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.includes(""));
  const refuse = (what: string, source: string) =>
    new UserError(`${what} must be a text that is not empty, got ""${source}`);
  command.registeredArguments.forEach((argument, i) => {
    if (isEmpty(command.processedArgs[i])) throw refuse(argument.name(), "");
  });
  for (const option of command.options) {
    const name = option.attributeName();
    if (isEmpty(command.getOptionValue(name))) throw refuse(name, ` (from ${option.long})`);
  }
}

/** The parts of package.json that the program uses. */
function about(): { readonly version: string; readonly description: string } {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return JSON.parse(text) as { version: string; description: string };
}

/** Commands import their code when they run, so that each starts quickly. */
function build(): Command {
  const { version, description } = about();
  const program = new Command("fewbit")
    .description(description)
    .version(version, "-v, --version")
    .enablePositionalOptions() // what follows a command is its own, not that of the one above it
    .addHelpText(
      "after",
      examples(
        "fewbit start",
        "fewbit train lenet5 --method dorefa --weight-bits 1 --activation-bits 2",
        "fewbit doctor",
      ),
    );

  program
    .command("start")
    .description("train a 1-bit LeNet-5 on the shipped digits and look at what it has learned")
    .action(async () => (await import("./start.js")).start())
    .addHelpText("after", examples("fewbit start"));

  const train = program.command("train").description("train a network").argument("[model]", modelHelp);
  settingFlags(train, "network", "data", "images", "mirrors", "training", "out")
    .option(
      "--config <file>",
      "JSON with the same settings, such as weightBits; flags override it, --layer adds to its layers",
    )
    .option("--resume <folder>", "go on with the run in this folder; --epochs may extend it")
    .option("--overwrite", "replace a run that is in the folder already");
  codeFlags(settingFlags(refuseModelFlag(train), "executor"));
  outputFlags(settingFlags(train, "log"))
    .option("--profile", "then show where the time of a step goes")
    .action(async (model: string | undefined, _: unknown, command: Command) =>
      (await import("./train.js")).trainCommand(model, command),
    )
    .addHelpText(
      "after",
      examples(
        "fewbit train lenet5 --method dorefa --weight-bits 1 --activation-bits 2 --learning-rate 0.01",
        "fewbit train lenet5 --data mnist --epochs 20 --out runs/float",
        "fewbit train resnet20 --method dorefa --weight-bits 2 --activation-bits 2 --data cifar10",
        "fewbit train lenet5 --data images --data-dir pets --image-size 64 --channels 3",
        "fewbit train resnet18 --method xnor --bits 1/1 --data images --data-dir pets --image-size 112",
        "fewbit train --config run.json --seed 2 --out runs/second",
        "fewbit train --resume runs/float --epochs 40",
      ),
    );

  const evaluate = program
    .command("eval")
    .description("score a run's network on its test set")
    .argument("<folder>", "the run")
    .option("--last", "the last epoch's weights instead of the best epoch's");
  storedCodeFlags(settingFlags(evaluate, "data", "mirrors", "executor"), "model", "method");
  outputFlags(evaluate)
    .action(async (folder: string, _: unknown, command: Command) =>
      (await import("./eval.js")).evalCommand(folder, command),
    )
    .addHelpText(
      "after",
      examples("fewbit eval runs/first-digits", "fewbit eval runs/float --data-dir ~/mnist --json"),
    );

  const reproduce = program
    .command("reproduce")
    .description("train what is missing of a published table, with its optimizers, rates and schedule")
    .argument("<table>", "mnist, cifar10 or imagenet, or one network of it, such as imagenet/alexnet")
    .option("--method <name>", "the rows of one method")
    .option(
      "--bits <pair>",
      "the rows of one pair of bits of weights and of activations, such as 1/2 or w1a2",
    )
    .option("--epochs <n>", "in place of the published number; the rate falls as often", number)
    .option("--seeds <n>", "train each row with seeds 1 to n (default: 1)", number);
  flagsOf(reproduce, "classes", "imageSize", "accumulate");
  studyFlags(reproduce)
    .action(async (table: string, _: unknown, command: Command) =>
      (await import("./studies.js")).reproduceCommand(table, command.opts()),
    )
    .addHelpText(
      "after",
      examples(
        "fewbit reproduce mnist --dry-run",
        "fewbit reproduce cifar10/resnet20 --method dorefa --bits 1/2 --epochs 20 --seeds 3",
        "fewbit reproduce imagenet/resnet18 --data-dir ~/imagenet --classes 100 --image-size 112 --dry-run",
      ),
    );

  const sweep = program
    .command("sweep")
    .description("train what is missing of a study: configurations in grids and lists")
    .argument("<file>", "the study: JSON, or a module (.ts, .mjs) that exports one as its default")
    .option("--index <i>", "only the run of this number, from 0: for arrays of jobs", number)
    .option("--print-commands", "print a command for each run, and stop")
    .option("--pick <what>", "best-rate: of the optimizers and rates tried for a cell, say which was best");
  studyFlags(sweep)
    .action(async (file: string, _: unknown, command: Command) =>
      (await import("./studies.js")).sweepCommand(file, command.opts()),
    )
    .addHelpText(
      "after",
      examples(
        "fewbit sweep bits.json --jobs 2",
        "fewbit sweep rates.json --pick best-rate",
        "fewbit sweep bits.json --index $SLURM_ARRAY_TASK_ID",
        "fewbit sweep bits.json --queue redis://head:6379 --out /shared/bits",
      ),
    );

  program
    .command("worker")
    .description("train runs of studies on a queue, until it is stopped: SIGTERM saves and gives them back")
    .requiredOption("--queue <url>", "the Redis or Valkey server, such as redis://HOST:6379")
    .option("--study <name>", "only this study: the name of its folder, or of its queue (default: all)")
    .option("--out <folder>", "only the study of this folder, which has another path where it was started")
    .option("--data-dir <folder>", "where the data set's files are on this machine")
    .option("--jobs <n>", "runs side by side, which share the threads (default: 1)", number)
    .option("--threads <n>", "of all runs together; results do not depend on it (default: all CPUs)", number)
    .option("--until-empty", "end when no run waits or is at work anywhere")
    .addOption(
      new Option("--lock-seconds <s>", "after so long without news a worker is given up (default: 30)")
        .argParser(number)
        .hideHelp(),
    )
    .option("--quiet", "print warnings only")
    .action(async (flags: object) => (await import("./worker.js")).workerCommand(flags))
    .addHelpText(
      "after",
      examples(
        "fewbit sweep bits.json --queue redis://head:6379 --out /shared/bits",
        "fewbit worker --queue redis://head:6379",
        "fewbit worker --queue redis://head:6379 --out /mnt/bits --data-dir /data/cifar10 --until-empty",
      ),
    );

  program
    .command("report")
    .description("write runs beside the published table, with plots, as Markdown and as one HTML page")
    .argument("<folders...>", "runs, or folders that hold some")
    .option("--out <folder>", "where report.md and report.html are written (default: the first folder)")
    .option("--title <text>", "the heading")
    .option("--csv", "write report.csv too: one line per run")
    .option("--json", "write report.json too: all that the report says")
    .action(async (folders: string[], options: object) =>
      (await import("./report.js")).reportCommand(folders, options),
    )
    .addHelpText(
      "after",
      examples("fewbit report runs/reproduce-mnist", "fewbit report runs/* --out results --csv --json"),
    );

  program
    .command("dashboard")
    .description("serve a local page of all runs, live: table, curves, layers, confusion matrices, report")
    .argument("[folder]", "where the runs are", "runs")
    .option("--host <address>", "listen elsewhere than on 127.0.0.1; the address then has a token")
    .option("--port <n>", "the port (default: 8642, or the next that is free)", number)
    .option("--no-stop", "do not let the page stop runs")
    .action(async (folder: string, options: { host?: string; port?: number; stop: boolean }) =>
      (await import("./dashboard.js")).dashboardCommand(folder, options),
    )
    .addHelpText("after", examples("fewbit dashboard", "fewbit dashboard /shared/runs --host 0.0.0.0"));

  const predict = program
    .command("predict")
    .description("say what a run's network sees in image files, as they are: a digit is light on dark")
    .argument("<folder>", "the run")
    .argument("<files...>", "images of any size: PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP or PNM")
    .option("--last", "the last epoch's weights instead of the best epoch's")
    .option("--invert", "make dark light and light dark first, as for digits in ink on paper")
    .option("--json", "print one JSON object, with the probability of each class");
  storedCodeFlags(settingFlags(predict, "executor"), "model", "method")
    .action(async (folder: string, files: string[], _: unknown, command: Command) =>
      (await import("./predict.js")).predictCommand(folder, files, command),
    )
    .addHelpText(
      "after",
      examples("fewbit predict runs/first-digits seven.png", "fewbit predict runs/pets photos/*.jpg --json"),
    );

  const data = program
    .command("data")
    .description(
      "download a data set into the cache: FEWBIT_CACHE, or fewbit in the system's folder for caches",
    )
    .argument("<name>", "mnist, fashion-mnist, kmnist or cifar10")
    .option("--cache <folder>", "another folder for it")
    .option("--force", "download what is there already, too");
  outputFlags(settingFlags(data, "mirrors"))
    .action(async (name: string, _: unknown, command: Command) =>
      (await import("./data.js")).dataCommand(name, command),
    )
    .addHelpText(
      "after",
      examples(
        "fewbit data cifar10",
        "fewbit data mnist --mirror https://example.org/mnist/ --cache /data",
        "fewbit data shard imagenet --size 256 --out shards",
      ),
    );

  const shard = data
    .command("shard")
    .description(
      "write a folder of images by class as WebDataset shards, which are read faster than many files",
    )
    .argument("<folder>", "the images: train/CLASS and val/CLASS, or ImageNet's folder")
    .requiredOption("--out <folder>", "the folder of the shards; one that was interrupted is gone on with")
    .option(
      "--size <pixels>",
      "make images smaller, as JPEG: their shorter side (default: copy the files)",
      number,
    );
  outputFlags(shard)
    .action(async (folder: string, _: unknown, command: Command) =>
      (await import("./shard.js")).shardCommand(folder, command),
    )
    .addHelpText(
      "after",
      examples(
        "fewbit data shard imagenet --size 256 --out shards",
        "fewbit train resnet18 --data imagenet --data-dir shards",
      ),
    );

  const summary = program
    .command("summary")
    .description("show a network layer by layer: bits, parameters, multiply-accumulates, memory")
    .argument("<model>", modelHelp);
  flagsOf(settingFlags(refuseModelFlag(summary), "network"), "imageSize", "channels")
    .option("--json", "print one JSON object")
    .action(async (model: string, _: unknown, command: Command) =>
      (await import("./summary.js")).summaryCommand(model, command),
    )
    .addHelpText(
      "after",
      examples(
        "fewbit summary lenet5 --method dorefa --weight-bits 1 --activation-bits 2",
        "fewbit summary vgg16 --method xnor --bits 1/1 --image-size 224",
      ),
    );

  program
    .command("methods")
    .description("list the quantization methods: what each quantizes, the bits it allows, its paper")
    .option("--json", "print one JSON array")
    .action(async (options: { json?: boolean }) => (await import("./methods.js")).methodsCommand(options))
    .addHelpText("after", examples("fewbit methods"));

  program
    .command("doctor")
    .description("show what this machine has, and which executor fewbit chooses and why")
    .action(async () => (await import("./doctor.js")).doctor())
    .addHelpText("after", examples("fewbit doctor"));
  return program;
}

/** Errors of commander end with a full stop or none, and have suggestions in a second line; ours are one line. */
function oneLine(message: string): string {
  return printable(
    message
      .replace(/^error: /, "")
      .replace(/\n(?=\(Did you mean [^\n]*$)/, " ")
      .replace(/\.?\s*$/, ""),
  );
}

/** The words of a command line that name its command. */
function commandIn(program: Command, [word, ...rest]: readonly string[]): readonly string[] {
  const command = program.commands.find((one) => one.name() === word);
  return command === undefined ? [] : [command.name(), ...commandIn(command, rest)];
}

async function main(): Promise<number> {
  const program = build().hook("preAction", (_, command) => refuseEmpty(command));
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])]) {
    command.exitOverride().showSuggestionAfterError(true).allowExcessArguments(false);
    command.configureOutput({ outputError: () => {} });
  }
  if (process.argv.length <= 2) {
    program.outputHelp();
    return exitCodes.ok;
  }
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    if (process.env.FEWBIT_DEBUG) console.error(error);
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok;
      const words = ["fewbit", ...commandIn(program, process.argv.slice(2)), "--help"];
      say(`fewbit: ${oneLine(error.message)}; see ${words.join(" ")}`);
      return exitCodes.userError;
    }
    if (error instanceof UserError) {
      say(`fewbit: ${error.message}`);
      return exitCodes.userError;
    }
    if (error instanceof DivergenceError) {
      say(`fewbit: ${error.message}`);
      return exitCodes.diverged;
    }
    say(`fewbit: ${printable((error as Error).message)} (a defect; FEWBIT_DEBUG=1 shows where)`);
    return exitCodes.failure;
  }
}

process.exitCode = await main();
