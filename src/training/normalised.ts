/** Batches of bytes as the values that a step takes. */
import { normalise } from "../data/normalise.js";
import type { HostParts } from "../graph/host.js";

/** Pixels whose values are made at a time. */
const pixelsOfPart = 2 ** 14;

/**
 * Images of bytes as an array that is normalised while it is written to a step's inputs.
 *
 * @param values the value of each byte in each channel, as `valuesOf` gives them.
 */
export function normalisedParts(
  bytes: Uint8Array,
  shape: HostParts["shape"],
  values: Float32Array,
): HostParts {
  const most = pixelsOfPart * (values.length / 256);
  return {
    shape,
    *parts() {
      const out = new Float32Array(Math.min(most, bytes.length));
      for (let begin = 0; begin < bytes.length; begin += most) {
        const part = bytes.subarray(begin, begin + most);
        normalise(part, values, out);
        yield out.subarray(0, part.length);
      }
    },
  };
}
