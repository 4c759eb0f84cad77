/**
 * Trees: nested records with leaves of one kind, as users group parameters, batches and results.
 * A leaf's path joins the keys with "/".
 */
import { shown, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";

/** A value, or an object of such by name. */
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

/**
 * @param leaf what a leaf is, in words; `path` what the tree is.
 * @throws UserError where there is neither a leaf nor a record.
 */
export function checkTree<T>(
  tree: unknown,
  isLeaf: (value: unknown) => value is T,
  leaf: string,
  path: string,
): asserts tree is Tree<T> {
  if (isLeaf(tree)) return;
  if (!isObject(tree))
    throw new UserError(`${path} must be ${leaf} or an object of such, got ${shown(tree)}`);
  for (const [key, value] of Object.entries(tree)) checkTree(value, isLeaf, leaf, `${path}.${key}`);
}
