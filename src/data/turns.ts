/** Tasks of which only so many are under way at a time. */

/** A function that begins each task that it is given when fewer than `most` others are under way, in the order of its calls. */
export function inTurn(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  let underWay = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (underWay === most) await new Promise<void>((resolve) => waiting.push(resolve));
    else underWay++;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) underWay--;
      else next();
    }
  };
}
