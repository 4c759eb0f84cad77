/** A run says by which rules it was made, and is not read by others. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { network } from "../nn/index.js";
import { models } from "../models/index.js";
import { adam, sgd } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { qnn, withLayers, xnor } from "../quantization/index.js";
import { evaluateRun } from "../training/evaluate.js";
import { predictRun } from "../training/predict.js";
import { loadRun } from "./run.js";
import { revisionOf } from "./revision.js";
import { base } from "../training/tiny.test.fixture.js";
import { train } from "../training/train.js";
import { trainedRun } from "../training/trained.test.fixture.js";

const folder = trainedRun();
const config = join(folder, "config.json");
let made: string;

beforeAll(() => {
  made = readFileSync(config, "utf8");
});

/** Writes into config.json by which revision the run was made. */
const revise = (revision: object): void =>
  writeFileSync(config, JSON.stringify({ ...(JSON.parse(made) as object), revision }));

test("a run whose method has not changed does not mention a revision of it", () => {
  expect((JSON.parse(made) as { revision: unknown }).revision).toEqual({ scoring: 2 });
});

test("a run of a revision that this fewbit does not know is neither scored nor asked nor resumed", async () => {
  revise({ method: 99 });
  const refusal =
    /^\S+ was started with revision 99 of its method, and this version of fewbit knows those up to \d+; use a newer one$/;
  const { model, method, data } = base;
  await expect(evaluateRun(folder, { model, method, data })).rejects.toThrow(refusal);
  await expect(predictRun(folder, [], { model, method })).rejects.toThrow(refusal);
  await expect(train({ ...base, directory: folder, resume: true })).rejects.toThrow(refusal);
  revise({ scoring: 99 });
  await expect(train({ ...base, directory: folder, resume: true })).rejects.toThrow(
    /was started with revision 99 of its scoring, and this version of fewbit knows those up to 2; use a newer one$/,
  );
});

test.each([{ method: 0 }, { method: "2" }, { scoring: 1.5 }, 2])("revision %j is damage", (revision) => {
  revise(revision as object);
  expect(() => loadRun(folder)).toThrow(/is damaged: "revision/);
});

describe("residual blocks of XNOR-Net and BWN, which had no ReLU after their first convolution", () => {
  const residual = network("residual", { input: [6, 6, 1], classes: 4 }, (net, x) => {
    const y = net.block("conv1", x, { channels: 2, kernel: 3, norm: { name: "bn1" } });
    return net.linear("fc", net.flatten(net.residual("block", y, { channels: 2 })), { features: 4 });
  });
  const method = xnor({ activationBits: 32 });
  const options = { ...base, model: residual, method, epochs: 1 };

  test.each([
    ["have the second revision", residual, method, 2],
    ["have it with signs of activations too", residual, xnor({ reluAfterConvolution: true }), 2],
    ["have the first where no layer has a ReLU", residual, xnor(), undefined],
    ["have the first with another method", residual, base.method, undefined],
  ])("%s", (_, model, method, revision) => {
    expect(revisionOf({ model, method, optimizer: base.optimizer }).method).toBe(revision);
  });
  test("so has a network without residual blocks the first", () => {
    expect(revisionOf({ ...base, method }).method).toBeUndefined();
  });

  test("a run of today is scored and resumed, one of before is refused", async () => {
    rmSync(folder, { recursive: true });
    await train({ ...options, directory: folder });
    made = readFileSync(config, "utf8");
    expect(JSON.parse(made)).toHaveProperty("revision.method", 2);
    const { model, method, data } = options;
    await evaluateRun(folder, { model, method, data });
    await train({ ...options, epochs: 2, directory: folder, resume: true });

    revise({});
    const refusal =
      /^\S+ was started with revision 1 of its method; since revision 2 residual blocks of XNOR-Net and BWN have their ReLU after the first convolution too, so its weights fit only the older rule; train it again$/;
    await expect(evaluateRun(folder, { model, method, data })).rejects.toThrow(refusal);
    await expect(predictRun(folder, [], { model, method })).rejects.toThrow(refusal);
    await expect(train({ ...options, epochs: 3, directory: folder, resume: true })).rejects.toThrow(refusal);
  });
});

describe("other changes touch the training alone", () => {
  const bits = { weightBits: 2, activationBits: 2 };
  const [byAdam, bySgd] = [adam({ learningRate: 1 }), sgd({ learningRate: 1 })];
  const bwn = xnor({ activationBits: 32 });
  const create = ({ weightBits = 1, activationBits = 32 }) => xnor({ weightBits, activationBits });
  const table: [string, Method, typeof byAdam, number | undefined][] = [
    ["QNN starts in U(-1, 1)", qnn(bits), byAdam, 3],
    ["not in redbit", qnn({ ...bits, preset: "redbit" }), byAdam, undefined],
    ["nor where no weights are quantized", qnn({ ...bits, weightBits: 32 }), byAdam, undefined],
    ["XNOR-Net's gradients have the factor N with SGD", bwn, bySgd, 4],
    ["not with Adam", bwn, byAdam, undefined],
    ["nor in redbit", xnor({ activationBits: 32, preset: "redbit" }), bySgd, undefined],
    ["one input channel is not centred", withLayers(bwn, { conv1: { weightBits: 1 } }, create), byAdam, 5],
  ];
  test.each(table)("%s", (_, method, optimizer, revision) => {
    expect(revisionOf({ model: models.lenet5, method, optimizer })?.method).toBe(revision);
  });

  test("so that an older run is scored and asked, and not resumed", async () => {
    const { model, data } = base;
    const method = qnn(bits);
    rmSync(folder, { recursive: true });
    await train({ ...base, method, epochs: 1, directory: folder });
    made = readFileSync(config, "utf8");
    revise({});
    await evaluateRun(folder, { model, method, data });
    await predictRun(folder, [], { model, method });
    await expect(train({ ...base, method, epochs: 2, directory: folder, resume: true })).rejects.toThrow(
      /since revision 3 QNN's latent weights start .* so it would go on by another rule; train it again$/,
    );
  });
});
