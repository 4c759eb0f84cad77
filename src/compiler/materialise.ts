/**
 * The second pass: which values get memory.
 *
 * Everything elementwise that is not listed here is recomputed inside each map that needs it, from
 * values that have memory: reading a value costs more than the few operations that make it. So the
 * backward pass of a batch normalisation reads the convolution's output again, instead of storing
 * normalised values and masks. A value with several users is stored where that moves fewer bytes
 * over memory: the residual stream, say, rather than the sum of all that was added to it.
 */
import type { Shape, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import { largeValue, mostCheapOperands, mostCheapOperations, smallValue } from "./costs.js";
import { bytesFor, productBound } from "./integers.js";
import { isConstant, isCostly, isElementwise, isReduction, ownerOf } from "./kinds.js";
import type { Users } from "./uses.js";

/** The elementwise and broadcast nodes of `order` that need memory of their own. */
export function chooseMaterialised(
  order: readonly Tensor[],
  outputs: readonly Tensor[],
  users: Users,
): Set<Tensor> {
  const isOutput = new Set(outputs);
  const materialised = new Set<Tensor>();
  const shared: Tensor[] = [];
  for (const tensor of order) {
    if (!isElementwise(tensor.op) && tensor.op !== "broadcast") continue;
    const using = users.get(tensor)!;
    if (isOutput.has(tensor) || using.some((user) => !isElementwise(user.op) && !isReduction(user.op))) {
      materialised.add(tensor);
    } else if (tensor.op !== "broadcast" && using.length > 1) {
      const cheap = sizeOf(tensor.shape) > largeValue && tensor.inputs.every(({ op }) => op === "leaf");
      if (isCostly(tensor.op) && !cheap) materialised.add(tensor);
      else shared.push(tensor);
    }
  }
  const passes = new Passes(order, users, materialised);
  for (const tensor of shared) {
    const cone = coneOf([tensor], materialised);
    const isExpensive =
      sizeOf(tensor.shape) > smallValue
        ? passes.savedBy(tensor) > 0
        : [...cone.operands].filter(isWhole).length > mostCheapOperands;
    if (isExpensive || cone.operations > mostCheapOperations) passes.materialise(tensor);
  }
  // Some values were worth storing only until others were stored.
  for (const tensor of shared) {
    if (!materialised.has(tensor) || sizeOf(tensor.shape) <= smallValue) continue;
    passes.drop(tensor);
    const worth =
      passes.savedBy(tensor) > 0 || coneOf([tensor], materialised).operations > mostCheapOperations;
    if (worth) passes.materialise(tensor);
  }
  return materialised;
}

/** Broadcast values and constants are cheap to read. */
const isWhole = ({ op }: Tensor): boolean => op !== "broadcast" && !isConstant(op);

/** What a map reads and does to produce values; `stored` has memory besides what is materialised. */
function coneOf(
  values: readonly Tensor[],
  materialised: ReadonlySet<Tensor>,
  stored?: Tensor,
): { operands: Set<Tensor>; operations: number } {
  const operands = new Set<Tensor>();
  const body = new Set<Tensor>(values.filter(({ op }) => isElementwise(op)));
  const visit = (tensor: Tensor): void => {
    if (isElementwise(tensor.op) && !materialised.has(tensor) && tensor !== stored) body.add(tensor);
    else if (!body.has(tensor)) operands.add(tensor);
  };
  for (const value of values) if (isReduction(value.op)) visit(value.inputs[0]);
  // Iteration over a Set includes elements that are added meanwhile.
  for (const tensor of body) tensor.inputs.forEach(visit);
  return { operands, operations: body.size };
}

/**
 * The expected passes over memory: one map makes all values of one shape that have the same depth, counted in
 * instructions.
 */
class Passes {
  private readonly level = new Map<Tensor, number>();
  private readonly roots = new Map<string, Tensor[]>();

  constructor(
    order: readonly Tensor[],
    private readonly users: Users,
    private readonly materialised: Set<Tensor>,
  ) {
    for (const tensor of order) {
      const inputs = Math.max(0, ...tensor.inputs.map((input) => this.level.get(input)!));
      const root = this.isRoot(tensor);
      const isInline = isElementwise(tensor.op) || isConstant(tensor.op) || tensor.op === "leaf";
      this.level.set(tensor, root || !isInline ? inputs + 1 : inputs);
      if (root) this.add(tensor, inputs + 1);
    }
  }

  /** The bytes that are not moved if a value is stored. */
  savedBy(value: Tensor): number {
    const own = passOf(value.shape, this.level.get(value)! + 1);
    let saved = -bytesOf(value);
    for (const pass of new Set([own, ...this.passesUsing(value)])) {
      const roots = this.roots.get(pass) ?? [];
      saved += this.bytesRead(roots);
      saved -= pass === own ? this.bytesRead([...roots, value]) : this.bytesRead(roots, value);
    }
    return saved;
  }

  materialise(value: Tensor): void {
    this.materialised.add(value);
    this.add(value, this.level.get(value)! + 1);
  }

  drop(value: Tensor): void {
    this.materialised.delete(value);
    const pass = passOf(value.shape, this.level.get(value)! + 1);
    this.roots.set(
      pass,
      this.roots.get(pass)!.filter((root) => root !== value),
    );
  }

  private isRoot(tensor: Tensor): boolean {
    return isReduction(tensor.op) || (isElementwise(tensor.op) && this.materialised.has(tensor));
  }

  private add(root: Tensor, level: number): void {
    const pass = passOf(isReduction(root.op) ? root.inputs[0].shape : root.shape, level);
    this.roots.set(pass, [...(this.roots.get(pass) ?? []), root]);
  }

  /** The passes that recompute a value. */
  private passesUsing(value: Tensor): Set<string> {
    const passes = new Set<string>();
    const recomputed = new Set([value]);
    for (const tensor of recomputed) {
      for (const user of this.users.get(tensor)!) {
        if (!this.isRoot(user)) recomputed.add(user);
        else passes.add(passOf(tensor.shape, this.level.get(user)!));
      }
    }
    return passes;
  }

  private bytesRead(roots: readonly Tensor[], stored?: Tensor): number {
    return [...coneOf(roots, this.materialised, stored).operands]
      .filter(isWhole)
      .reduce((sum, operand) => sum + bytesOf(operand), 0);
  }
}

const passOf = (shape: Shape, level: number): string => `${shape.join()}|${level}`;

/** How many bytes a value will have, should no reader need codes or their sums as floats. */
function bytesOf(tensor: Tensor): number {
  const size = sizeOf(tensor.shape);
  const { owner } = ownerOf(tensor);
  if (owner.op === "codes" && bytesFor(owner.lattice!).length > 0) return size;
  if (owner.op === "bf16") return 2 * size;
  if (owner.op !== "convolution") return 4 * size;
  const [a, b] = owner.inputs.map((input) => ownerOf(input).owner.lattice);
  if (a === undefined || b === undefined) return 4 * size;
  return (productBound(a, b, sizeOf(owner.inputs[1].shape.slice(0, 3))) < 2 ** 15 ? 2 : 4) * size;
}
