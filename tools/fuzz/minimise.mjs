/** Makes the files of a failing case small while they still fail in the same way. */

const mostTries = 400;
const mostMilliseconds = 3000;

/** The kind of a failure: two with the same kind have, likely, the same cause. */
export function signatureOf(error) {
  return `${error?.constructor?.name}: ${String(error?.message).split(":")[0].replace(/\d+/g, "N").slice(0, 60)}`;
}

export async function minimise(files, check, signature) {
  const end = Date.now() + mostMilliseconds;
  let tries = 0;
  const fails = async (candidate) => {
    tries++;
    try {
      await check(candidate);
      return false;
    } catch (error) {
      return signatureOf(error) === signature;
    }
  };
  let best = files;
  for (const name of Object.keys(files)) {
    if (best[name] === null) continue;
    for (let size = best[name].length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at < best[name].length;) {
        if (tries >= mostTries || Date.now() > end) return best;
        const shorter = Buffer.concat([best[name].subarray(0, at), best[name].subarray(at + size)]);
        const candidate = { ...best, [name]: shorter };
        if (await fails(candidate)) best = candidate;
        else at += size;
      }
    }
  }
  return best;
}
