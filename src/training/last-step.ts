/** The last step of an epoch, on the remaining images. */

/** A last step smaller than this share of a batch is worth a warning. */
const least = 1 / 8;

/**
 * A warning if the last step of an epoch has few images: it contributes a tenth of batch normalisation's running
 * statistics, just before the network is scored.
 */
export function lastStepWarning(images: number, batchSize: number): string | undefined {
  const left = images % batchSize;
  if (images < batchSize || left === 0 || left >= least * batchSize) return undefined;
  const steps = Math.ceil(images / batchSize);
  const better = [...nearTo(batchSize)].find((size) => isGood(images, size));
  const remedy =
    better === undefined
      ? "choose another batch size"
      : `with batch size ${better} it has ${images % better || better}`;
  return (
    `the last of ${steps} steps of an epoch has only ${left} of ${batchSize} images, and a tenth of the running statistics ` +
    `of batch normalisation is from it when the network is scored; ${remedy}`
  );
}

const isGood = (images: number, size: number): boolean => images % size === 0 || images % size >= size / 2;

/** Sizes from the nearest on, up to half as large and half as large again. */
function* nearTo(size: number): Generator<number> {
  for (let distance = 1; distance <= size / 2; distance++) yield* [size - distance, size + distance];
}
