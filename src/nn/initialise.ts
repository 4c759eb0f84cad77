/** Initial values: the distribution of a parameter, and drawing from it. */
import { shown, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import type { HostArray, Shape } from "../graph/index.js";
import { sizeOf } from "../graph/index.js";
import { uniforms } from "../random/philox.js";

/** A distribution: one value, uniform in ±bound, or normal with mean 0. */
export type Initial =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly deviation: number };

/** The number of each kind of distribution. */
const numbers = { constant: "value", uniform: "bound", normal: "deviation" } as const;

/** Whether a value is a distribution. */
export const isInitial = (value: unknown): value is Initial =>
  isObject(value) &&
  Object.hasOwn(numbers, String(value.kind)) &&
  Number.isFinite(value[numbers[value.kind as Initial["kind"]]]);

/** A parameter or statistic of a network. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initial: Initial;
}

/** Chooses the distribution of weights [rows, columns, inputs, outputs] or [inputs, outputs]. */
export type Initialiser = (shape: Shape) => Initial;

/** The shape of weights, if it is one. @throws UserError */
function weightShape(shape: Shape): Shape {
  if (Array.isArray(shape) && shape.length >= 2) return shape as Shape;
  throw new UserError(
    `an initialiser takes the shape of weights, such as [3, 3, 16, 32], got ${shown(shape)}`,
  );
}

/** U(±1/√fanIn), fanIn = rows·columns·inputs. */
export const uniformFanIn: Initialiser = (shape) => ({
  kind: "uniform",
  bound: 1 / Math.sqrt(sizeOf(weightShape(shape).slice(0, -1))),
});

/** N(0, √(2/fanOut)), fanOut = rows·columns·outputs (He et al. 2015, arXiv 1502.01852, eq. 14): for residual networks. */
export const normalFanOut: Initialiser = (shape) => ({
  kind: "normal",
  deviation: Math.sqrt(2 / (sizeOf(weightShape(shape).slice(0, -2)) * shape.at(-1)!)),
});

/**
 * Draws a value for each spec. It depends only on the seed (an integer from 0 to 2^53 - 1) and the spec, so that adding
 * a layer does not change the values of others.
 */
export function initialise(specs: readonly ParameterSpec[], seed: number): Record<string, HostArray> {
  checkSpecs(specs);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UserError(`seed must be an integer from 0 to 2^53 - 1, got ${shown(seed)}`, "seed");
  }
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)] as const;
  return Object.fromEntries(
    specs.map(({ name, shape, initial }) => [
      name,
      { data: draw(initial, sizeOf(shape), key, hash(name)), shape },
    ]),
  );
}

function draw(initial: Initial, count: number, key: readonly [number, number], stream: number): Float32Array {
  if (initial.kind === "constant") return new Float32Array(count).fill(initial.value);
  const drawn = new Float32Array(count);
  if (initial.kind === "uniform") {
    const random = uniforms(key, stream, count);
    for (let i = 0; i < count; i++) drawn[i] = initial.bound * (2 * random[i] - 1);
    return drawn;
  }
  // Box and Muller: √(-2·ln(1 - u))·cos(2πv) is normal; 1 - u is never 0.
  const pairs = uniforms(key, stream, 2 * count);
  for (let i = 0; i < count; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - pairs[2 * i]));
    drawn[i] = initial.deviation * radius * Math.cos(2 * Math.PI * pairs[2 * i + 1]);
  }
  return drawn;
}

/** @throws UserError for anything but descriptions of parameters. */
function checkSpecs(specs: unknown): asserts specs is readonly ParameterSpec[] {
  const isSpec = (spec: unknown) =>
    isObject(spec) && typeof spec.name === "string" && Array.isArray(spec.shape) && isObject(spec.initial);
  if (Array.isArray(specs) && specs.every(isSpec)) return;
  throw new UserError(`initialise takes parameters as describe() lists them, got ${shown(specs)}`);
}

/** FNV-1a over the UTF-16 units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
