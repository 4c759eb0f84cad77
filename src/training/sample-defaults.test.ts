/** What a newcomer's first ResNet trains with: the shipped sample of CIFAR-10, without a setting. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nativeProblem } from "../runtime/native.js";
import { parseRunOptions, resolveData, resolveNetwork } from "./config.js";
import { settingsOf } from "./config.js";
import { train } from "./train.js";

const dorefa = { method: "dorefa", weightBits: 2, activationBits: 2 };
const settings = (values: Record<string, unknown>) => {
  const options = parseRunOptions({ ...dorefa, ...values }, () => "a test");
  const { data, optimizer, learningRate, batchSize } = options;
  return [data, optimizer, learningRate, batchSize];
};

test("the sample has small steps and rates of its own; the published data keep the published ones", () => {
  for (const model of [{ model: "resnet20" }, { model: "resnet", depth: 8 }, { model: "vgg16" }]) {
    expect(settings(model)).toEqual(["cifar10-sample", "adam", 0.001, 32]);
    expect(settings({ ...model, data: "cifar10-sample" })).toEqual(["cifar10-sample", "adam", 0.001, 32]);
  }
  const whole = { model: "resnet20", data: "cifar10" };
  expect(settings(whole)).toEqual(["cifar10", "adam", 0.01, 128]); // the published table's DoReFa-Net 2/2
  expect(settings({ model: "resnet20", batchSize: 128, learningRate: 0.01 })).toEqual(
    ["cifar10-sample", "adam", 0.01, 128], // prettier-ignore
  );
  expect(settings({ model: "lenet5" })).toEqual(["digits", "adam", 0.001, 128]);
  expect(settings({ model: "lenet5", weightBits: 1 })).toEqual(["digits", "sgd", 0.1, 128]);
});

test.skipIf(nativeProblem() !== undefined)(
  "with them a ResNet-8 of 2 bits learns from the first epoch on",
  async () => {
    const options = parseRunOptions({ ...dorefa, model: "resnet", depth: 8, epochs: 4 }, () => "a test");
    const { model, method } = resolveNetwork(options);
    const data = await resolveData(options, model);
    const directory = mkdtempSync(join(tmpdir(), "fewbit-sample-"));
    const { metrics, best } = await train({
      ...settingsOf(options),
      model,
      method,
      data,
      directory,
      overwrite: true,
    });
    rmSync(directory, { recursive: true });
    // Ten classes: chance is ln 10 = 2.303 and 10%. Measured: 2.3026 in the first epoch, 31.5% at best.
    expect(metrics[0].trainLoss).toBeLessThan(2.6);
    expect(metrics[3].trainLoss).toBeLessThan(2.1);
    expect(best.test.top1).toBeGreaterThan(25);
  },
);
