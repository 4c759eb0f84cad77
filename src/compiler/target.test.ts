/** What a target lacks is compiled to what it has, with the values of the reference. */
import { expect, test } from "vitest";
import * as g from "../graph/index.js";
import type { Tensor } from "../graph/index.js";
import type { Executor } from "../runtime/executor.js";
import type { Operand, Program } from "../runtime/program.js";
import { storageBytes } from "../runtime/program.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import type { Target } from "../runtime/target.js";
import { valueAndGradients } from "./autodiff.js";
import { compile } from "./compile.js";
import { createState } from "./state.js";

const whole = createReferenceExecutor();
const lacking = (target: Partial<Target>): Executor => {
  const executor = createReferenceExecutor();
  return { ...executor, target: { ...executor.target, ...target } };
};

const values = (shape: readonly number[], seed: number) => ({
  data: Float32Array.from(
    { length: shape.reduce((n, extent) => n * extent, 1) },
    (_, i) => Math.round(100 * Math.sin(seed + 7 * i)) / 50,
  ),
  shape,
});

/** A layer on codes behind a batch normalisation, and its gradients. */
const layer = (executor: Executor) =>
  compile(
    ({ w }: { w: Tensor }, { x }: { x: Tensor }) => {
      const quantized = (v: Tensor, lo: number, hi: number) =>
        g.coded(g.codes(g.straightThrough(g.clip(g.round(v), lo, hi), v), { lo, hi, step: 1 }), 0.5);
      const f = (p: { w: Tensor; x: Tensor }) => {
        const [mean, variance] = [0, 1].map((row) =>
          g.reshape(g.slice(g.moments(p.x, [0, 1, 2]), [row, 0], [row + 1, 3]), [3]),
        );
        const y = g.div(g.sub(p.x, mean), g.sqrt(g.add(variance, 1e-5)));
        return g.sum(g.square(g.convolution(quantized(y, 0, 3), quantized(p.w, -1, 1), { padding: 1 })));
      };
      const { value, gradients } = valueAndGradients(f, { w, x });
      return { state: { w: g.sub(w, g.mul(gradients.w, 1e-3)) }, value, dx: gradients.x };
    },
    { executor },
  );

async function run(executor: Executor) {
  const step = layer(executor);
  const start = createState({ w: values([3, 3, 3, 4], 1) }, { executor });
  const batch = { x: values([4, 6, 5, 3], 2) };
  const program = step.program(start, batch);
  const { state, value, dx } = await step(start, batch);
  const { w } = await state.read();
  return { program, results: [w, value, dx] };
}

/** Every operand of a Program. */
function operandsOf({ instructions, names }: Program): Operand[] {
  const found: Operand[] = [];
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    if ("segment" in part) found.push(part as Operand);
    Object.values(part).forEach(visit);
  };
  visit([instructions, names]);
  return found;
}

const reductionsOf = ({ instructions }: Program) =>
  instructions.flatMap((instruction) =>
    instruction.kind === "map" ? instruction.results.map(({ reduction }) => reduction) : [],
  );

async function expectSame(executor: Executor): Promise<Program> {
  const [expected, actual] = [await run(whole), await run(executor)];
  expected.results.forEach(({ data }, k) => {
    const largest = Math.max(...Array.from(data, Math.abs));
    data.forEach((value, i) =>
      expect(Math.abs(value - actual.results[k].data[i])).toBeLessThan(1e-5 * largest),
    );
  });
  return actual.program;
}

test("without narrow storages all values are f32, and codes are multiplied as such", async () => {
  expect(operandsOf((await run(whole)).program).some(({ storage }) => storage === "u8")).toBe(true);
  const program = await expectSame(lacking({ storages: ["f32", "i32"] }));
  expect(new Set(operandsOf(program).map(({ storage }) => storage))).toEqual(new Set(["f32"]));
});

test("without 16-bit sums, sums of codes have 32 bits", async () => {
  expect(operandsOf((await run(whole)).program).some(({ storage }) => storage === "i16")).toBe(true);
  const program = await expectSame(lacking({ storages: ["f32", "i32", "u8", "s8"] }));
  const storages = new Set(operandsOf(program).map(({ storage }) => storage));
  expect(storages.has("i32")).toBe(true);
  expect(storages.has("i16")).toBe(false);
});

test("without moments, mean and variance are sums", async () => {
  expect(reductionsOf((await run(whole)).program)).toContain("moments");
  const program = await expectSame(lacking({ fused: [] }));
  expect(reductionsOf(program)).not.toContain("moments");
});

test("values begin at multiples of the alignment, and none crosses a page", async () => {
  const [alignment, pageBytes] = [256, 2048];
  const program = await expectSame(lacking({ alignment, pageBytes }));
  expect(program.bytes.scratch).toBeGreaterThan(pageBytes);
  for (const { segment, offset, storage, shape } of operandsOf(program)) {
    const bytes = shape.reduce((n, extent) => n * extent, storageBytes[storage]);
    if (segment !== "constants" && bytes > 0) {
      expect(Math.floor(offset / pageBytes)).toBe(Math.floor((offset + bytes - 1) / pageBytes));
    }
  }
  for (const { offset } of Object.values(program.names)) expect(offset % alignment).toBe(0);
});

test("a value that is larger than a page is refused", () => {
  const executor = lacking({ pageBytes: 1024 });
  expect(() =>
    layer(executor).program(createState({ w: values([3, 3, 3, 4], 1) }, { executor }), {
      x: values([4, 6, 5, 3], 2),
    }),
  ).toThrow("one value needs 1.4 KiB, but the executor's memory is cut in pages of 1.0 KiB");
});
