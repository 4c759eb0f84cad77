/** `fewbit methods`: lists the quantization methods. */
import { bitsText, methods } from "../quantization/index.js";
import { pc, print } from "./text.js";

export function methodsCommand({ json }: { json?: boolean }): void {
  if (json === true) {
    const all = Object.entries(methods).map(([name, { create: _, ...entry }]) => ({ name, ...entry }));
    print(JSON.stringify(all));
    return;
  }
  const blocks = Object.entries(methods).map(([name, entry]) => {
    const { title, description, paper, weightBits, activationBits, presets, options } = entry;
    const lines = [
      `${pc.bold(name)}  ${title}${paper === "" ? "" : pc.dim(`  ${paper}`)}`,
      `  quantizes    ${description}`,
      `  weights      ${bits(weightBits)}`,
      `  activations  ${bits(activationBits)}`,
      `  presets      ${presets.join(", ")}`,
    ];
    if (options.length > 0) lines.push(`  options      ${options.join(", ")}`);
    return lines.join("\n");
  });
  print(blocks.join("\n\n"));
  print(
    pc.dim(
      "\npaper: as the authors define it (the default). redbit: as the framework behind the published table computes it.",
    ),
  );
}

const bits = (allowed: readonly number[]): string =>
  `${bitsText(allowed).replace("an integer from ", "")} bit${allowed.length === 1 && allowed[0] === 1 ? "" : "s"}`;
