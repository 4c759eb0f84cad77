/**
 * Trees: nested records with leaves of one kind, as users group parameters, batches and results.
 * A leaf's path joins the keys with "/".
 */
export type Tree<T> = T | { readonly [key: string]: Tree<T> };

/** Calls `visit` for each leaf in key order. */
export function forEachLeaf<T>(
  tree: Tree<T>,
  isLeaf: (value: unknown) => value is T,
  visit: (path: string, leaf: T) => void,
  path = "",
): void {
  if (isLeaf(tree)) {
    visit(path, tree);
    return;
  }
  for (const [key, value] of Object.entries(tree as Record<string, Tree<T>>)) {
    forEachLeaf(value, isLeaf, visit, path === "" ? key : `${path}/${key}`);
  }
}

/** A tree of the same structure with each leaf replaced. */
export function mapTree<T, U>(
  tree: Tree<T>,
  isLeaf: (value: unknown) => value is T,
  replace: (leaf: T, path: string) => U,
  path = "",
): Tree<U> {
  if (isLeaf(tree)) return replace(tree, path);
  const result: Record<string, Tree<U>> = {};
  for (const [key, value] of Object.entries(tree as Record<string, Tree<T>>)) {
    result[key] = mapTree(value, isLeaf, replace, path === "" ? key : `${path}/${key}`);
  }
  return result;
}
