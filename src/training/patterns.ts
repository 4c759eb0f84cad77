/** Names of layers and norms that patterns mean. */

/**
 * Whether an array of a layer or norm is meant, by its name such as "conv1.weight" or "bn1.mean": a pattern is the name of
 * a layer, norm or array, in which * stands for any characters.
 */
export function fits(name: string, pattern: string): boolean {
  const text = pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replace(/\*+/g, ".*");
  return new RegExp(`^${text}(\\..*)?$`, "s").test(name);
}
