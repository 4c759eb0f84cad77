/**
 * `npm run bench -- resnet20` and `-- vgg16`: training steps and evaluation of batch 128 against PyTorch, in
 * every way of running it that counts for the comparison, and against Brevitas' layers (ResNet-20); by turns in
 * processes of their own, medians over rounds. A way that a short try finds clearly slower is reported and
 * not repeated. Then memory, threads, batch sizes, the time to compile, AVX2, and each family of
 * instructions against the machine's peak. `--only PART` runs one of these. Without a python3 (or
 * $PYTHON) that has torch, ours alone.
 */
import { cpus } from "node:os";
import { alternate, fastest, listed } from "./common/alternate.mjs";
import { keepingMemory, ours, peer, runParts, versionOf } from "./common/processes.mjs";
import { compareBatches, compareCompile, compareMemory, compareThreads, showPeaks } from "./cifar-parts.mjs";

const modes = ["eager", "compile"];
const formats = ["contiguous", "channels_last"];

const torchWays = (options, precisions) =>
  precisions.flatMap((precision) =>
    modes.flatMap((mode) =>
      formats.map((format) => ({
        group: "PyTorch",
        name: `${mode} ${format} ${precision}`,
        options: { ...options, mode, format, precision },
      })),
    ),
  );

const brevitasWays = (bits) =>
  formats.map((format) => ({
    group: "Brevitas",
    name: `Brevitas ${bits}/${bits} ${format}`,
    options: { brevitas: bits, format },
  }));

/** What is compared with what: the method of both sides, its peers, and the ratios to reach. */
const comparisons = {
  float: { method: "baseline", asked: [1, 1.15] },
  dorefa: { method: "dorefa", brevitas: 2, asked: [1.7, 2], askedOfBrevitas: [4.2, 5] },
  bf16: {
    method: "dorefa",
    gradients: "bf16",
    precisions: ["f32", "bf16"],
    brevitas: 2,
    asked: [2.1, 2.4],
    askedOfBrevitas: [6.5, 7.5],
  },
  xnor: { method: "xnor", brevitas: 1, asked: [1.7, 2], askedOfBrevitas: [2.1, 2.5] },
  qnn: { method: "qnn", brevitas: 1, asked: [1.7, 2], askedOfBrevitas: [2.1, 2.5] },
  twn: { method: "twn" },
  ttq: { method: "ttq" },
  evaluation: { method: "dorefa", evaluate: true, precisions: ["f32", "bf16"], asked: [3, 4] },
};
const titles = {
  float: "training step, float",
  dorefa: "training step, DoReFa 2/2, f32 gradients",
  bf16: "training step, DoReFa 2/2, bf16 gradients",
  xnor: "training step, XNOR 1/1",
  qnn: "training step, QNN 1/1",
  twn: "training step, TWN 2/32",
  ttq: "training step, TTQ 2/32",
  evaluation: "evaluation, DoReFa 2/2",
};

/** AVX2 on both sides, whatever the CPU has. */
const avx2 = { FEWBIT_INSTRUCTION_SET: "avx2", ATEN_CPU_CAPABILITY: "avx2", ONEDNN_MAX_CPU_ISA: "AVX2" };

export async function benchCifar(network, { only, ...options }) {
  const torch = versionOf("torch");
  const context = {
    ...options,
    steps: options.steps ?? 15,
    network,
    torch,
    brevitas: torch && network === "resnet20" ? versionOf("brevitas") : undefined,
    report: (row, text) => console.log(options.json ? JSON.stringify(row) : text),
  };
  const compared = Object.keys(comparisons).map((name) => [name, () => compare(name, context)]);
  const parts = {
    ...Object.fromEntries(compared),
    memory: () => compareMemory(context),
    threads: () => compareThreads(context),
    batch: () => compareBatches(context),
    compile: () => compareCompile(context),
    avx2: async () => {
      for (const name of ["float", "dorefa"])
        await compare(name, { ...context, env: avx2, suffix: ", AVX2" });
    },
    peaks: () => showPeaks(context),
  };
  if (!options.json) {
    const peers = [`PyTorch ${torch ?? "not found: ours alone"}`];
    if (context.brevitas) peers.push(`Brevitas ${context.brevitas}`);
    const machine = `${cpus()[0].model}, ${options.threads} threads, Node ${process.version}`;
    console.log([machine, ...peers].join(", "));
  }
  await runParts(parts, only);
}

/**
 * Ours and PyTorch's ways by turns, for one of `comparisons`, or one that `context.asked` changes.
 */
export async function compare(part, context) {
  const {
    network,
    threads,
    steps,
    rounds,
    torch,
    brevitas,
    report,
    env,
    suffix = "",
    batchSize = 128,
    warmup = 8,
  } = context;
  const {
    method,
    gradients,
    evaluate,
    precisions = ["f32"],
    ...asked
  } = { ...comparisons[part], ...context.asked };
  const name = `${network} ${titles[part]}${suffix}, batch ${batchSize}`;
  const batch = { "batch-size": batchSize };
  const ways = [
    ...(torch ? torchWays({ network, method, evaluate }, precisions) : []),
    ...(brevitas && asked.brevitas ? brevitasWays(asked.brevitas) : []),
  ].map(({ options, ...way }) => ({
    ...way,
    run: (short) => {
      const counts = short ? { steps: 3, warmup: Math.min(6, warmup) } : { steps, warmup };
      return peer("cifar.py", { ...options, ...batch, threads, ...counts }, { ...keepingMemory, ...env });
    },
  }));
  const mine = () =>
    ours(
      { network, method, gradients, evaluate, ...batch, threads, steps, warmup: Math.min(5, warmup) },
      env,
    );
  const { ms, result, ways: measured } = await alternate(mine, ways, rounds);

  const against = ["PyTorch", "Brevitas"].flatMap((group) => {
    const best = fastest(measured, group);
    if (best === undefined) return [];
    const [atLeast, aim] = (group === "PyTorch" ? asked.asked : asked.askedOfBrevitas) ?? [];
    return [{ group, peer: best.name, peerMs: best.ms, ratio: best.ms / ms, atLeast, aim }];
  });
  const text = against.map(
    ({ group, peer, peerMs, ratio, atLeast, aim }) =>
      `  ${group} (${peer}) ${peerMs.toFixed(1)} ms, ratio ${ratio.toFixed(2)}` +
      (atLeast === undefined ? "" : ` (at least ${atLeast}, aim ${aim})`),
  );
  report(
    { name, oursMs: ms, against, ways: measured, threads, executor: result.executor },
    [
      `${name}: ours ${ms.toFixed(1)} ms (${result.executor})`,
      ...text,
      ...(torch ? [`  ${listed(measured)}`] : []),
    ].join("\n"),
  );
}
