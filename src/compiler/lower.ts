/** The last pass: units whose values have places become instructions. */
import { starts } from "../graph/ops/movement.js";
import { stridesOf } from "../graph/ops/shapes.js";
import type { Shape, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import { productOps, shapesByRole, windowOps } from "../runtime/instructions.js";
import type {
  CopyInstruction,
  Geometry,
  Instruction,
  MapInstruction,
  MapOp,
  MapOperation,
  Operand,
} from "../runtime/program.js";
import { storageBytes } from "../runtime/program.js";
import { maskOf, resultAxes } from "./group.js";
import { reductionOf } from "./kinds.js";
import type { Placement } from "./place.js";
import type { MapGroup, Producers, Unit } from "./units.js";
import { sourceOf } from "./units.js";

type OperandOf = Placement["operandOf"];

/** The instructions of units in their order, and the copies of results after them. */
export function lower(
  units: readonly Unit[],
  producers: Producers,
  { operandOf, zero, copies }: Placement,
): Instruction[] {
  return [
    ...units.flatMap((unit) =>
      unit.kind === "map" ? [lowerMap(unit, producers, operandOf)] : lowerSingle(unit.node, operandOf, zero),
    ),
    ...copies.map(({ from, to }): CopyInstruction => {
      const extents = [sizeOf(from.shape)];
      return { kind: "move", op: "copy", extents, from, fromStrides: [1], to, toStrides: [1] };
    }),
  ];
}

function lowerMap(group: MapGroup, producers: Producers, operandOf: OperandOf): MapInstruction {
  const { shape, space } = group;
  const slots = new Map<Tensor, number>();
  const operands = [...group.operands].map((operand, slot) => {
    slots.set(operand, slot);
    const mask = maskOf(operand, shape, producers.has(operand));
    return { ...operandOf(sourceOf(operand, producers)), axes: space.axesOf(mask) };
  });
  // Groups that joined interleave their work; the order of recording puts inputs first.
  const body: MapOperation[] = [];
  for (const node of [...group.body].sort((a, b) => a.id - b.id)) {
    const inputs = node.inputs.map((input) => slots.get(input)!);
    slots.set(node, node.op === "codes" ? inputs[0] : operands.length + body.length);
    if (node.op !== "codes") body.push({ op: node.op as MapOp, arguments: inputs });
  }
  const results = group.roots.map((root) => {
    const reduction = reductionOf[root.op] ?? "none";
    const value = reduction === "none" ? root : root.inputs[0];
    const operand = operandOf(root);
    const lattice = storageBytes[operand.storage] === 1 ? { lattice: root.lattice } : {};
    const slot = slots.get(value)!;
    return { ...operand, axes: resultAxes(root, shape, space), slot, reduction, ...lattice };
  });
  return { kind: "map", space: space.extents, operands, body, results };
}

function lowerSingle(node: Tensor, operandOf: OperandOf, zero: Operand | undefined): Instruction[] {
  const { op, inputs, attributes } = node;
  const out = operandOf(node);
  const operands = inputs.map(operandOf);
  /** Copies between two strided views of a shape. */
  const copyOf = (extents: Shape, from: View, to: View): CopyInstruction => {
    return {
      kind: "move",
      op: "copy",
      extents,
      from: from.operand,
      fromStrides: from.strides,
      to: to.operand,
      toStrides: to.strides,
    };
  };
  switch (op) {
    case "convolution":
    case "convolutionInputGradient":
    case "convolutionFilterGradient": {
      const shapes = inputs.map(({ shape }) => shape);
      const { x, w, y } = shapesByRole(productOps[op], shapes, node.shape);
      const { stride, padding } = attributes.window!;
      const geometry = geometryOf(x!, y!, { size: [w![0], w![1]], stride, padding });
      return [{ kind: "product", op, geometry, inputs: [operands[0], operands[1]], out }];
    }
    case "windowSum":
    case "windowMax":
    case "windowSumGradient":
    case "windowMaxGradient":
    case "depthwise":
    case "depthwiseInputGradient":
    case "depthwiseFilterGradient": {
      const shapes = inputs.map(({ shape }) => shape);
      const { x, y } = shapesByRole(windowOps[op], shapes, node.shape);
      return [
        { kind: "window", op, geometry: geometryOf(x!, y!, attributes.window!), inputs: operands, out },
      ];
    }
    case "transpose": {
      const { operand, strides } = dense(operands[0]);
      const moved = attributes.permutation!.map((axis) => strides[axis]);
      return [copyOf(node.shape, { operand, strides: moved }, dense(out))];
    }
    case "broadcast": {
      const { operand, strides } = dense(operands[0]);
      const repeated = node.shape.map((_, axis) => strides[attributes.axes!.indexOf(axis)] ?? 0);
      return [copyOf(node.shape, { operand, strides: repeated }, dense(out))];
    }
    case "slice":
      return [copyOf(node.shape, startingAt(dense(operands[0]), attributes.low!), dense(out))];
    case "concatenate": {
      const axis = attributes.axis!;
      const shapes = inputs.map(({ shape }) => shape);
      return starts(shapes, axis).map((start, i) => {
        const corner = node.shape.map((_, along) => (along === axis ? start : 0));
        return copyOf(shapes[i], dense(operands[i]), startingAt(dense(out), corner));
      });
    }
    case "pad": {
      const none = { operand: zero!, strides: node.shape.map(() => 0) };
      return [
        copyOf(node.shape, none, dense(out)),
        copyOf(inputs[0].shape, dense(operands[0]), startingAt(dense(out), attributes.low!)),
      ];
    }
    case "random":
      return [{ kind: "move", op, stream: attributes.stream!, from: operands[0], to: out }];
    default:
      throw new Error(`${op} has no instruction`);
  }
}

function geometryOf(x: Shape, y: Shape, window: NonNullable<Tensor["attributes"]["window"]>): Geometry {
  return {
    images: x[0],
    height: x[1],
    width: x[2],
    channels: x[3],
    kernel: window.size,
    stride: window.stride,
    padding: window.padding,
    outHeight: y[1],
    outWidth: y[2],
    outChannels: y[3],
  };
}

/** A shape's elements in memory: element (i, j, ...) is at strides·(i, j, ...) from the operand's offset. */
interface View {
  readonly operand: Operand;
  readonly strides: readonly number[];
}

function dense(operand: Operand): View {
  return { operand, strides: stridesOf(operand.shape) };
}

function startingAt({ operand, strides }: View, start: readonly number[]): View {
  const elements = start.reduce((sum, index, axis) => sum + index * strides[axis], 0);
  return {
    operand: { ...operand, offset: operand.offset + elements * storageBytes[operand.storage] },
    strides,
  };
}
