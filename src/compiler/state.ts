/** State: a tree of arrays that lives in an executor's memory between steps. */
import { UserError } from "../errors.js";
import { checkOptions, optional } from "../errors/options.js";
import { sizeOf } from "../graph/tensor.js";
import type { Executor } from "../runtime/executor.js";
import { defaultExecutor, executorRule } from "../runtime/executor.js";
import type { Operand } from "../runtime/program.js";
import { storageBytes } from "../runtime/program.js";
import { alignUp } from "./memory.js";
import type { HostArray } from "../graph/host.js";
import type { HostValue, Results, Signature, TensorTree, TensorsOf, Values } from "./trace.js";
import { dtypeOf, isHostValue, toArray } from "./trace.js";
import type { Tree } from "./tree.js";
import { checkTree, mapTree } from "./tree.js";

/** Where each array of a tree lies in a segment: in tree order, each aligned. */
export interface Layout {
  readonly tree: Tree<Operand>;
  readonly places: Readonly<Record<string, Operand>>;
  readonly bytes: number;
}

/** Lays a tree of arrays out in a segment, under names that begin with the segment's. */
export function layOut(segment: "state" | "inputs" | "outputs", signature: Tree<Signature[string]>): Layout {
  const places: Record<string, Operand> = {};
  let bytes = 0;
  const tree = mapTree<Signature[string], Operand>(signature, isSignature, ({ shape, dtype }, path) => {
    const operand: Operand = { segment, offset: bytes, storage: dtype, shape };
    const name = `${segment}/${path}`;
    if (Object.hasOwn(places, name)) {
      throw new UserError(`two arrays are both called ${name}; use no "/" in the keys of a tree`);
    }
    places[name] = operand;
    bytes += alignUp(sizeOf(shape) * storageBytes[dtype]);
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
    const array = toArray(value, `${what} ${path}`);
    return { shape: array.shape, dtype: dtypeOf(array) };
  });
}

/** A view of an operand's elements. */
export function viewOf(operand: Operand, memory: ArrayBuffer): Float32Array | Int32Array {
  const elements = sizeOf(operand.shape);
  return operand.storage === "i32"
    ? new Int32Array(memory, operand.offset, elements)
    : new Float32Array(memory, operand.offset, elements);
}

/** Copies values into memory laid out for them. */
export function writeTree(
  values: Tree<HostValue>,
  layout: Layout,
  segment: string,
  memory: ArrayBuffer,
): void {
  mapTree<HostValue, void>(values, isHostValue, (value, path) => {
    viewOf(layout.places[`${segment}/${path}`], memory).set(toArray(value, path).data);
  });
}

/** Copies memory out into a tree of arrays. */
export function readTree(layout: Layout, memory: ArrayBuffer): Tree<HostArray> {
  return mapTree<Operand, HostArray>(layout.tree, isOperand, (operand) => ({
    data: viewOf(operand, memory).slice(),
    shape: operand.shape,
  }));
}

/**
 * Arrays that a compiled step reads and replaces. A step that returns a new state consumes the one
 * it is given: any later use of that one throws. `copy()` keeps one.
 */
export class State<T extends TensorTree = TensorTree> {
  private buffer: ArrayBuffer | undefined;

  constructor(
    readonly executor: Executor,
    readonly layout: Layout,
    memory: ArrayBuffer,
  ) {
    this.buffer = memory;
  }

  /** The memory behind this state. @throws UserError if a step has consumed it. */
  get memory(): ArrayBuffer {
    if (this.buffer === undefined) {
      throw new UserError(
        "this state was consumed by a step; use the state that the step returned, or copy() it before",
      );
    }
    return this.buffer;
  }

  /** Every array where it lies, which the step that consumes this state overwrites. */
  peek(): Results<T> {
    const { memory } = this;
    return mapTree<Operand, HostArray>(this.layout.tree, isOperand, (operand) => ({
      data: viewOf(operand, memory),
      shape: operand.shape,
    })) as Results<T>;
  }

  /** Every array, copied. */
  read(): Results<T> {
    return readTree(this.layout, this.memory) as Results<T>;
  }

  /** An independent state with the same values. */
  copy(): State<T> {
    const memory = this.executor.allocate(this.layout.bytes);
    new Uint8Array(memory).set(new Uint8Array(this.memory));
    return new State<T>(this.executor, this.layout, memory);
  }

  /** Hands the memory on to a new state. */
  consume(): State<T> {
    const next = new State<T>(this.executor, this.layout, this.memory);
    this.buffer = undefined;
    return next;
  }
}

/** The options of `createState`. */
export interface StateOptions {
  /** Whose memory it is. Default, in Node: the fastest that can run there. */
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
  const layout = layOut("state", signatureOf(tree, "state"));
  const memory = executor.allocate(layout.bytes);
  writeTree(tree, layout, "state", memory);
  return new State<T>(executor, layout, memory);
}
