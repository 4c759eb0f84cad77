/** State: a tree of arrays that lives in an executor's memory between steps. */
import { UserError } from "../errors.js";
import { checkOptions, optional } from "../errors/options.js";
import type { DType, Shape, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import type { Executor, Memory } from "../runtime/executor.js";
import { defaultExecutor, executorRule, nextTurn } from "../runtime/executor.js";
import type { Operand, Storage } from "../runtime/program.js";
import { storageBytes } from "../runtime/program.js";
import type { MemoryRules } from "./memory.js";
import { alignUp, placeFrom } from "./memory.js";
import type { HostArray } from "../graph/host.js";
import type { HostValue, Results, Signature, TensorTree, TensorsOf, Values } from "./trace.js";
import { dtypeOf, isHostValue, isParts, toArray } from "./trace.js";
import type { Tree } from "./tree.js";
import { checkTree, mapTree } from "./tree.js";

/** Where each array of a tree lies in a segment: in tree order, each aligned. */
export interface Layout {
  readonly tree: Tree<Operand>;
  readonly places: Readonly<Record<string, Operand>>;
  readonly bytes: number;
}

/** Lays a tree of arrays out in a segment, under names that begin with the segment's. */
export function layOut(
  segment: "state" | "inputs" | "outputs",
  signature: Tree<Signature[string]>,
  rules: MemoryRules,
): Layout {
  const places: Record<string, Operand> = {};
  let bytes = 0;
  const tree = mapTree<Signature[string], Operand>(signature, isSignature, ({ shape, dtype }, path) => {
    const size = sizeOf(shape) * storageBytes[dtype];
    const operand: Operand = { segment, offset: placeFrom(bytes, size, rules), storage: dtype, shape };
    const name = `${segment}/${path}`;
    if (Object.hasOwn(places, name)) {
      throw new UserError(`two arrays are both called ${name}; use no "/" in the keys of a tree`);
    }
    places[name] = operand;
    bytes = operand.offset + alignUp(size, rules);
    return operand;
  });
  return { tree, places, bytes };
}

function isSignature(value: unknown): value is Signature[string] {
  return typeof value === "object" && value !== null && Array.isArray((value as { shape?: unknown }).shape);
}

export function isOperand(value: unknown): value is Operand {
  return isSignature(value) && "segment" in value;
}

/** The shapes and types of a tree of values. @throws UserError where data and shape disagree. */
export function signatureOf(values: Tree<HostValue>, what: string): Tree<Signature[string]> {
  checkTree(values, isHostValue, "a number or an array { data, shape }", what);
  return mapTree<HostValue, Signature[string]>(values, isHostValue, (value, path) => {
    if (typeof value === "object" && isParts(value)) return { shape: value.shape, dtype: "f32" };
    const array = toArray(value, `${what} ${path}`);
    return { shape: array.shape, dtype: dtypeOf(array) };
  });
}

/** Copies values into memory laid out for them. */
export function writeTree(
  values: Tree<HostValue>,
  layout: Layout,
  segment: string,
  executor: Executor,
  memory: Memory,
): void {
  mapTree<HostValue, void>(values, isHostValue, (value, path) => {
    let { offset } = layout.places[`${segment}/${path}`];
    if (typeof value === "number" || !isParts(value)) {
      executor.write(memory, offset, toArray(value, path).data);
      return;
    }
    const end = offset + 4 * sizeOf(value.shape);
    for (const part of value.parts()) {
      if (offset + part.byteLength > end) break;
      executor.write(memory, offset, part);
      offset += part.byteLength;
    }
    if (offset !== end) throw new UserError(`${path} must have parts for shape [${value.shape.join(", ")}]`);
  });
}

/** Copies memory out into a tree of arrays. It reads the present values, whatever runs start meanwhile. */
export async function readTree(
  layout: Pick<Layout, "tree">,
  executor: Executor,
  memory: Memory,
): Promise<Tree<HostArray>> {
  const reads: Promise<void>[] = [];
  const arrays = mapTree<Operand, HostArray>(layout.tree, isOperand, ({ shape, storage, offset }) => {
    const data = elements(storage, sizeOf(shape));
    reads.push(executor.read(memory, offset, data));
    return { data, shape };
  });
  await Promise.all(reads);
  return arrays;
}

const elements = (storage: Storage, count: number): HostArray["data"] =>
  storage === "i32" ? new Int32Array(count) : new Float32Array(count);

/** Elements that are read at a time: 1 MiB, which is hashed in a millisecond. */
const pieceElements = 2 ** 18;

/** An array that stays in an executor's memory, of any size. */
export interface StateArray {
  readonly shape: Shape;
  readonly dtype: DType;
  /**
   * Its elements in order, 256 Ki at a time or fewer, before each of which other work of this thread has its turn. A
   * piece is valid until the next one is asked for.
   */
  pieces(): AsyncGenerator<HostArray["data"], void, undefined>;
}

/** A tree like T, with arrays that stay where they are. */
export type StateArrays<T> = T extends Tensor ? StateArray : { readonly [K in keyof T]: StateArrays<T[K]> };

/**
 * Arrays that a compiled step reads and replaces. A step that returns a new state consumes the one
 * it is given: any later use of that one throws. `copy()` keeps one.
 */
export class State<T extends TensorTree = TensorTree> {
  private held: Memory | undefined;

  constructor(
    readonly executor: Executor,
    readonly layout: Layout,
    memory: Memory,
  ) {
    this.held = memory;
  }

  /** The memory behind this state. @throws UserError if a step has consumed it. */
  get memory(): Memory {
    if (this.held === undefined) {
      throw new UserError(
        "this state was consumed by a step; use the state that the step returned, or copy() it before",
      );
    }
    return this.held;
  }

  /**
   * Every array, or those under the keys that are given, copied, as the steps that were started before leave them.
   *
   * @throws UserError if a step has consumed this state.
   */
  read(): Promise<Results<T>>;
  read<Key extends keyof T & string>(
    ...keys: readonly Key[]
  ): Promise<Pick<Results<T>, Key & keyof Results<T>>>;
  async read(...keys: readonly string[]): Promise<unknown> {
    const { tree } = this.layout;
    const asked = keys.map((key) => [key, (tree as Readonly<Record<string, Tree<Operand>>>)[key]]);
    const wanted = keys.length === 0 ? tree : (Object.fromEntries(asked) as Tree<Operand>);
    return readTree({ tree: wanted }, this.executor, this.memory);
  }

  /** Every array, to be read in pieces while this state is not consumed: they take no memory here. */
  arrays(): StateArrays<T> {
    return mapTree<Operand, StateArray>(this.layout.tree, isOperand, (operand) => ({
      shape: operand.shape,
      dtype: operand.storage === "i32" ? "i32" : "f32",
      pieces: () => this.piecesOf(operand),
    })) as StateArrays<T>;
  }

  private async *piecesOf({
    shape,
    storage,
    offset,
  }: Operand): AsyncGenerator<HostArray["data"], void, undefined> {
    const count = sizeOf(shape);
    const piece = elements(storage, Math.min(count, pieceElements));
    for (let at = 0; at < count; at += pieceElements) {
      const part = piece.subarray(0, Math.min(pieceElements, count - at));
      await nextTurn();
      await this.executor.read(this.memory, offset + at * piece.BYTES_PER_ELEMENT, part);
      yield part;
    }
  }

  /**
   * An independent state with the same values, as the steps that were started before leave them.
   *
   * @param into an earlier copy that is no longer needed, whose memory the new one takes over.
   * @throws UserError if a step has consumed this state.
   */
  copy(into?: State<T>): State<T> {
    if (into !== undefined && into.layout !== this.layout) {
      throw new UserError("copy takes an earlier copy of the same state, whose memory it writes into");
    }
    return new State<T>(this.executor, this.layout, this.executor.copy(this.memory, into?.consume().memory));
  }

  /** Hands the memory on to a new state. */
  consume(): State<T> {
    const next = new State<T>(this.executor, this.layout, this.memory);
    this.held = undefined;
    return next;
  }
}

/** The array itself, copied. */
export async function readArray({ shape, dtype, pieces }: StateArray): Promise<HostArray> {
  const data = elements(dtype, sizeOf(shape));
  let at = 0;
  for await (const piece of pieces()) {
    data.set(piece, at);
    at += piece.length;
  }
  return { data, shape };
}

/** The options of `createState`. */
export interface StateOptions {
  /** The executor whose memory it is. Default, in Node: the fastest that can run there. */
  readonly executor?: Executor;
}

/**
 * Puts a tree of arrays into an executor's memory. The tree of tensors that stands for it in a compiled
 * function follows from the values; where these are of a type that says less, it may be given.
 *
 * @throws UserError where an array's shape does not fit its data.
 */
export function createState<V extends Tree<HostValue>>(
  values: V,
  options?: StateOptions,
): State<TensorsOf<V>>;
export function createState<T extends TensorTree>(values: Values<T>, options?: StateOptions): State<T>;
export function createState<T extends TensorTree>(values: Values<T>, options: StateOptions = {}): State<T> {
  checkOptions("createState", options, { executor: optional(executorRule) });
  const executor = options.executor ?? defaultExecutor();
  const tree = values as Tree<HostValue>;
  const layout = layOut("state", signatureOf(tree, "state"), executor.target);
  const memory = executor.allocate(layout.bytes);
  writeTree(tree, layout, "state", executor, memory);
  return new State<T>(executor, layout, memory);
}
