/** Typed arrays over a buffer that throw at an index outside, where plain ones give undefined or clamp. */
import { Misbehaviour } from "../outcome.mjs";

/** Runs `work` while views of buffers are guarded: whatever reads or writes outside of one throws. */
export async function guarded(work) {
  const { Float32Array, Int32Array } = globalThis;
  try {
    globalThis.Float32Array = guardedType(Float32Array);
    globalThis.Int32Array = guardedType(Int32Array);
    return await work();
  } finally {
    Object.assign(globalThis, { Float32Array, Int32Array });
  }
}

function guardedType(Type) {
  return new Proxy(Type, {
    construct(target, args) {
      const array = new target(...args);
      return args[0] instanceof ArrayBuffer ? guard(array) : array;
    },
  });
}

function guard(array) {
  const check = (key) => {
    if (typeof key !== "string" || String(Number(key)) !== key) return;
    const index = Number(key);
    if (Number.isInteger(index) && index >= 0 && index < array.length) return;
    throw new Misbehaviour(`element ${key} of a view of ${array.length}`);
  };
  return new Proxy(array, {
    get(target, key) {
      check(key);
      if (key === "subarray") return (begin, end) => guard(part(target, begin, end));
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, key, value) {
      check(key);
      return Reflect.set(target, key, value, target);
    },
  });
}

function part(array, begin, end = array.length) {
  if (!(begin >= 0 && begin <= end && end <= array.length)) {
    throw new Misbehaviour(`elements ${begin} to ${end} of a view of ${array.length}`);
  }
  return array.subarray(begin, end);
}
