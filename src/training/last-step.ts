/** The last step of an epoch, or the last small batch of it, on the remaining images. */

/** A last step smaller than this share of a batch is worth a warning. */
const least = 1 / 8;

/**
 * A warning if the last step of an epoch has few images: it contributes a tenth of batch normalisation's running
 * statistics, just before the network is scored. Where a batch is divided, the last small batch is what counts.
 */
export function lastStepWarning(images: number, batchSize: number, accumulate = 1): string | undefined {
  const size = batchSize / accumulate;
  const left = images % size;
  if (images < size || left === 0 || left >= least * size) return undefined;
  const count = Math.ceil(images / size);
  const better = [...nearTo(size)].find((other) => isGood(images, other));
  const remedy =
    better === undefined
      ? "choose another batch size"
      : `with batch size ${better * accumulate} it has ${images % better || better}`;
  return (
    `the last of ${count} ${accumulate === 1 ? "steps" : "small batches"} of an epoch has only ${left} of ${size} images, and a tenth of the running statistics ` +
    `of batch normalisation is from it when the network is scored; ${remedy}`
  );
}

const isGood = (images: number, size: number): boolean => images % size === 0 || images % size >= size / 2;

/** Sizes from the nearest on, up to half as large and half as large again. */
function* nearTo(size: number): Generator<number> {
  for (let distance = 1; distance <= size / 2; distance++) yield* [size - distance, size + distance];
}
