import { expect, test } from "vitest";
import * as g from "../graph/index.js";
import type { Tensor } from "../graph/index.js";
import { compile } from "../compiler/compile.js";
import { valueAndGradients } from "../compiler/autodiff.js";
import { createState } from "../compiler/state.js";
import { costOf, explain } from "./explain.js";
import { createReferenceExecutor } from "./reference.js";

const executor = createReferenceExecutor();

function programOf(f: (x: Tensor, w: Tensor) => Record<string, Tensor>, x: number[], w: number[]) {
  const step = compile((_: Record<string, never>, batch: { x: Tensor; w: Tensor }) => f(batch.x, batch.w), {
    executor,
  });
  const zeros = (shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape });
  return step.program(createState<Record<string, never>>({}, { executor }), { x: zeros(x), w: zeros(w) });
}

test("lists instructions with shapes, storage, bytes and estimated operations", () => {
  const program = programOf(
    (x, w) => ({ y: g.sum(g.relu(g.convolution(x, w)), [0, 1, 2]) }),
    [2, 6, 6, 3],
    [3, 3, 3, 4],
  );
  const text = explain(program);
  // 2 images x 4 x 4 positions x 4 channels, each 27 multiply-adds; 216 + 108 + 128 floats.
  expect(text).toContain(
    "convolution 2x6x6x3 -> 4x4x4, kernel 3x3, stride 1x1, padding 0x0  6,912 op, 1,808 B",
  );
  expect(text).toContain("inputs+0:f32[2, 6, 6, 3], inputs+896:f32[3, 3, 3, 4] -> scratch+0:f32[2, 4, 4, 4]");
  expect(text).toMatch(/map sum \[1, 32, 4\] {2}256 op, \d+ B/);
  expect(text).toContain("outputs+0:f32[4] {channel} = sum r0");
});

test("counts a multiply-add as two operations in all three products", () => {
  const program = programOf(
    (x, w) => {
      const f = (p: { x: Tensor; w: Tensor }) =>
        g.sum(g.square(g.convolution(p.x, p.w, { stride: 2, padding: 1 })));
      return valueAndGradients(f, { x, w }).gradients;
    },
    [2, 7, 7, 3],
    [3, 3, 3, 4],
  );
  const products = program.instructions.filter((instruction) => instruction.kind === "product");
  expect(products.map(({ op }) => op).sort()).toEqual([
    "convolution",
    "convolutionFilterGradient",
    "convolutionInputGradient",
  ]);
  for (const product of products) expect(costOf(product).operations).toBe(2 * (2 * 4 * 4) * 4 * (3 * 3 * 3));
});
