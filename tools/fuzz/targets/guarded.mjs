/**
 * Typed arrays over a buffer that throw at an index outside, where plain ones give undefined or clamp.
 * To be imported before the code that is watched, which may keep the constructors that it finds.
 */
import { Misbehaviour } from "../outcome.mjs";

let watching = false;
for (const name of ["Float32Array", "Int32Array", "Int16Array", "Uint8Array", "Int8Array"]) {
  globalThis[name] = new Proxy(globalThis[name], {
    construct(target, args, newTarget) {
      const array = Reflect.construct(target, args, newTarget);
      return watching && args[0] instanceof ArrayBuffer ? guard(array) : array;
    },
  });
}

/** Runs `work` while views of buffers are guarded: whatever reads or writes outside of one throws. */
export async function guarded(work) {
  watching = true;
  try {
    return await work();
  } finally {
    watching = false;
  }
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
