/** Ops that compute each element of the output from the same elements of inputs of one shape. */
import { shown, UserError } from "../../errors.js";
import type { Rule, Rules } from "../../errors/options.js";
import { checkOptions } from "../../errors/options.js";
import type { Case, Inferred, Op, Sampler, View } from "../op.js";
import type { Attributes, Lattice, Tensor } from "../tensor.js";
import { sizeOf } from "../tensor.js";
import type { ElementwiseOp, Loop } from "./loops.js";
import { loops } from "./loops.js";
import { sameShape, text } from "./shapes.js";

function inferElementwise(op: string, count: number, inputs: readonly Tensor[]) {
  const [{ shape }] = inputs;
  if (inputs.length !== count || !inputs.every((input) => sameShape(input.shape, shape))) {
    const shapes = inputs.map((input) => text(input.shape)).join(", ");
    throw new UserError(`${op}: takes ${count} inputs of one shape, got ${shapes}; broadcast them before`);
  }
  return { shape, dtype: "f32" as const };
}

function elementwiseOp(op: ElementwiseOp, count: number, sample: (random: Sampler) => readonly View[]): Op {
  const loop: Loop = loops[op];
  return {
    infer: (inputs) => inferElementwise(op, count, inputs),
    reference: (inputs, { data }) => loop(data, inputs[0].data, inputs[1]?.data, inputs[2]?.data),
    sample: (random) => ({ inputs: sample(random), attributes: {} }),
  };
}

const anyShape = (random: Sampler) => random.shape(random.integer(0, 4));
const uniformBetween = (low: number, high: number) => (random: Sampler) =>
  random.uniform(anyShape(random), low, high);

/** `count` arrays of one shape, no value in two of them where the sampler is smooth. */
function apart(random: Sampler, count: number): View[] {
  const shape = anyShape(random);
  const { data } = random.values([count, ...shape]);
  const size = sizeOf(shape);
  return Array.from({ length: count }, (_, i) => ({ data: data.slice(i * size, (i + 1) * size), shape }));
}

/** Inputs in any range, and for each input but the output, `out`, an argument of its loop. */
const usual = (op: ElementwiseOp): Op => {
  const count = loops[op].length - 1;
  return elementwiseOp(op, count, (random) => apart(random, count));
};
/** An operation of one input that is sampled where it is defined, or where it changes. */
const unary = (op: ElementwiseOp, values: (random: Sampler) => View) =>
  elementwiseOp(op, 1, (random) => [values(random)]);

const div = elementwiseOp("div", 2, (random) => {
  const shape = anyShape(random);
  const sign = random.pick([1, -1]);
  return [random.values(shape), random.uniform(shape, 0.5 * sign, 3 * sign)];
});

/** The codes of both branches together. A single value has no step of its own. */
function union(a: Lattice, b: Lattice): Lattice {
  const even = [a, b].every(({ lo, hi, step }) => lo === hi || step === 2) && (a.lo - b.lo) % 2 === 0;
  return { lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi), step: even ? 2 : 1 };
}

const select: Op = {
  ...elementwiseOp("select", 3, (random) => {
    const [yes, no] = apart(random, 2);
    const condition = Float32Array.from(yes.data, () => random.integer(0, 1));
    return [{ data: condition, shape: yes.shape }, yes, no];
  }),
  infer(inputs) {
    const [, { lattice: yes }, { lattice: no }] = inputs;
    return { ...inferElementwise("select", 3, inputs), lattice: yes && no && union(yes, no) };
  },
};

const coded: Op = {
  infer(inputs) {
    if (inputs[0].lattice === undefined) {
      throw new UserError("coded: the first input must be integer codes; mark them with codes(x, lattice)");
    }
    return inferElementwise("coded", 2, inputs);
  },
  reference: ([codes, scale], { data }) => loops.mul(data, codes.data, scale.data),
};

/** Ops whose value is their first input. */
function identity(infer: (a: Attributes) => Partial<Inferred>, sample?: Op["sample"]): Op {
  return {
    infer: ([x], a) => ({ shape: x.shape, dtype: x.dtype, lattice: x.lattice, ...infer(a) }),
    reference: ([x], { data }) => data.set(x.data),
    sample,
  };
}

const oneInput = (random: Sampler): Case => ({ inputs: apart(random, 1), attributes: {} });

const code: Rule = { allowed: "a whole number", test: Number.isSafeInteger };
const latticeRules: Rules<Lattice> = {
  lo: code,
  hi: code,
  step: { allowed: "1 or 2", test: (value) => value === 1 || value === 2 },
};

const codes = identity(({ lattice }) => {
  checkOptions("codes' lattice", lattice, latticeRules, "codes: ");
  if (lattice.lo > lattice.hi || (lattice.hi - lattice.lo) % lattice.step !== 0) {
    throw new UserError(`codes: the lattice ${shown(lattice)} must reach hi from lo in whole steps`);
  }
  return { lattice };
});

const names = Object.keys(loops) as ElementwiseOp[];
const usualOps = Object.fromEntries(names.map((name) => [name, usual(name)])) as Record<ElementwiseOp, Op>;

export const elementwise = {
  ...usualOps,
  exp: unary("exp", uniformBetween(-4, 4)),
  log: unary("log", uniformBetween(0.1, 4)),
  sqrt: unary("sqrt", uniformBetween(0.1, 4)),
  tanh: unary("tanh", uniformBetween(-4, 4)),
  div,
  select,
  coded,
  codes,
  stopGradient: identity(() => ({}), oneInput),
  customGradient: identity(() => ({})),
};
