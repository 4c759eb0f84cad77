/**
 * The third pass: elementwise work and reductions become maps.
 *
 * A root is a value that a map must produce: a materialised elementwise node, or a reduction. Its
 * cone is the elementwise work between it and values in memory. Roots over the same shape share a
 * map when they read the same values and neither depends on the other through another instruction.
 */
import type { Shape, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import { isConstant, isElementwise, isReduction, reductionOf, viewOf } from "./kinds.js";
import type { Axes } from "../runtime/program.js";
import type { Mask, Space } from "./space.js";
import type { Units } from "./ancestry.js";
import { Ancestry, has } from "./ancestry.js";
import { findSpace, maskWhere, wholeMask } from "./space.js";
import { mostMapOperands, mostMapOperations, smallMap, wideChannels } from "./costs.js";
import { madeFromWeightGradients, readByInputGradientsOnly } from "./policies.js";
import type { MapGroup, Producers, Single, Unit } from "./units.js";
import { reads, sourceOf } from "./units.js";

export interface Grouping {
  readonly units: readonly Unit[];
  readonly producers: Producers;
  /** Units to run just before their results are read. */
  readonly late: ReadonlySet<Unit>;
}

export function groupMaps(
  order: readonly Tensor[],
  materialised: ReadonlySet<Tensor>,
  outputs: readonly Tensor[],
): Grouping {
  const units: Unit[] = [];
  const producers = new Map<Tensor, Unit>();
  const open = new Map<string, MapGroup[]>();
  const ancestry = new Ancestry(producers);
  const results = new Set(outputs);
  const waiting = madeFromWeightGradients(order);
  const forInputGradients = readByInputGradientsOnly(order);

  const addSingle = (node: Tensor): void => {
    if (producers.has(node)) return;
    const single: Single = { kind: "single", node };
    units.push(single);
    ancestry.add(single, node.inputs);
    producers.set(node, single);
  };

  const isWhole = (broadcast: Tensor): boolean => producers.has(broadcast);
  const addRoot = (node: Tensor): void => {
    const { group: root, spelledOut } = newGroup(node, materialised, producers);
    spelledOut.forEach(addSingle);
    const key = root.shape.join();
    const groups = open.get(key) ?? [];
    open.set(key, groups);
    // Work that waits for the gradients of one layer must not delay that of another, whose gradients would have to be
    // kept.
    const waits = (value: Tensor): boolean => waiting.has(value) && !results.has(value);
    const isSmall = (group: MapGroup): boolean =>
      sizeOf(group.shape) <= smallMap && ![node, ...group.roots].some(waits);
    const behind = new Map([...root.operands].map((o) => [o, ancestry.behind([sourceOf(o, producers)])]));
    const joined = forInputGradients.has(node)
      ? undefined
      : groups.findLast((group) => join(group, root, isSmall(group), behind, ancestry, isWhole));
    if (joined === undefined) {
      groups.push(root);
      units.push(root);
      ancestry.add(root, reads(root, producers));
    } else ancestry.extend(joined, reads(root, producers));
    producers.set(node, joined ?? root);
  };

  for (const node of order) {
    if (isReduction(node.op) || (isElementwise(node.op) && materialised.has(node))) addRoot(node);
    else if (!isElementwise(node.op) && (materialised.has(node) || !hasNoUnit(node))) addSingle(node);
  }
  const late = new Set(units.filter((unit) => unit.kind === "map" && forInputGradients.has(unit.roots[0])));
  return { units, producers, late };
}

/** Leaves and constants are in memory before the run; views have another node's memory; broadcasts are read in place. */
function hasNoUnit(node: Tensor): boolean {
  return isConstant(node.op) || node.op === "leaf" || node.op === "broadcast" || viewOf(node) !== undefined;
}

/**
 * The map of one root. Where its broadcasts cut the shape into more than three axes, some are
 * spelled out: they become copies in memory, read like any other value.
 */
function newGroup(
  root: Tensor,
  materialised: ReadonlySet<Tensor>,
  producers: Producers,
): { group: MapGroup; spelledOut: Tensor[] } {
  const shape = isReduction(root.op) ? root.inputs[0].shape : root.shape;
  const body = new Set<Tensor>();
  const operands = new Set<Tensor>();
  const visit = (node: Tensor): void => {
    if (body.has(node) || operands.has(node)) return;
    if (isElementwise(node.op) && (node === root || !materialised.has(node))) {
      node.inputs.forEach(visit);
      body.add(node);
    } else operands.add(node);
  };
  if (isReduction(root.op)) visit(root.inputs[0]);
  else visit(root);

  const group = { kind: "map" as const, shape, roots: [root], body, operands };
  const whole = (node: Tensor): boolean => producers.has(node) || spelledOut.includes(node);
  const spelledOut: Tensor[] = [];
  for (;;) {
    const space = spaceOf(group, whole);
    if (space !== undefined) return { group: { ...group, space }, spelledOut };
    const next = [...operands].find((o) => o.op === "broadcast" && o.inputs[0].shape.length > 0 && !whole(o));
    if (next === undefined) throw new Error(`no space for ${root.op} over [${shape.join(", ")}]`);
    spelledOut.push(next);
  }
}

/**
 * Adds a root's group to another if that is allowed and worth it, which it always is for a small one. `behind`: the
 * units that the root's operands depend on.
 */
function join(
  group: MapGroup,
  root: MapGroup,
  isSmall: boolean,
  behind: ReadonlyMap<Tensor, Units>,
  ancestry: Ancestry,
  isWhole: (node: Tensor) => boolean,
): boolean {
  const number = ancestry.numberOf(group);
  let related = isSmall;
  const outside: Tensor[] = [];
  for (const [operand, units] of behind) {
    if (group.body.has(operand)) related = true;
    else {
      if (has(units, number)) return false;
      related ||= group.operands.has(operand) && operand.op !== "broadcast" && !isConstant(operand.op);
      outside.push(operand);
    }
  }
  if (!related) return false;
  const operands = new Set([...group.operands, ...outside]);
  if (operands.size > mostMapOperands) return false;
  const more = [...root.body].filter((node) => !group.body.has(node));
  if (group.body.size + more.length > mostMapOperations) return false;
  const roots = [...group.roots, ...root.roots];
  const space = spaceOf({ shape: group.shape, roots, operands }, isWhole);
  if (space === undefined) return false;
  outside.forEach((operand) => group.operands.add(operand));
  more.forEach((node) => group.body.add(node));
  group.roots.push(...root.roots);
  group.space = space;
  return true;
}

/** Which axes of a map's shape an operand has. `whole`: a broadcast that has been spelled out. */
export function maskOf(node: Tensor, shape: Shape, whole: boolean): Mask {
  if (node.op === "broadcast" && !whole) {
    const { axes } = node.attributes;
    return maskWhere(shape, (axis) => shape[axis] === 1 || axes!.includes(axis));
  }
  return wholeMask(shape);
}

function rootMask(root: Tensor, shape: Shape): Mask {
  return maskWhere(shape, (axis) => !isReduction(root.op) || !root.attributes.axes!.includes(axis));
}

/** The axes that a root's result keeps. A reduction over axes of extent 1 keeps all but the position. */
export function resultAxes(root: Tensor, shape: Shape, space: Space): Axes {
  const axes = space.axesOf(rootMask(root, shape));
  return axes === 7 && isReduction(root.op) && space.extents[1] === 1 ? 5 : axes;
}

/** The space of a map if kernels can produce all of its results in it. */
function spaceOf(
  group: Pick<MapGroup, "shape" | "roots" | "operands">,
  whole: (node: Tensor) => boolean,
): Space | undefined {
  const { shape, roots } = group;
  const masks = new Set<Mask>();
  for (const operand of group.operands) masks.add(maskOf(operand, shape, whole(operand)));
  for (const root of roots) masks.add(rootMask(root, shape));
  for (const rowsAreSamples of [false, true]) {
    const space = findSpace(shape, masks, rowsAreSamples);
    if (space === undefined) return undefined;
    const kinds = new Set<number>();
    const supported = roots.every((root) => {
      if (!isReduction(root.op)) return true;
      const axes = resultAxes(root, shape, space);
      kinds.add(axes);
      if (axes === 6) return reductionOf[root.op] !== "moments";
      return axes === 0 || axes === 1 || axes === 4 || axes === 5;
    });
    if (!supported) continue;
    if (kinds.has(6) && kinds.size > 1 && space.extents[2] > wideChannels) continue;
    return space;
  }
  return undefined;
}
