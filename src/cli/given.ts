/** What a command was given. */

/** A file of code that a command names for a stored run. */
export interface RunCode {
  /** The path as it was typed. */
  readonly path: string;
  readonly folder: string;
  /** The checksum of the file that the run was trained with, as recorded by the run. */
  readonly recorded: unknown;
  readonly allowChanged: boolean;
}

/** A configuration given in part: its values and where each came from. */
export interface Given {
  readonly values: Readonly<Record<string, unknown>>;
  /** Whether --allow-changed-code was given. */
  readonly allowChangedCode?: boolean;
  /** Whether the command has an argument for the network. */
  readonly hasModelArgument?: boolean;
  /** The files of a stored run's code that the command names, by setting. */
  readonly code?: ReadonlyMap<string, RunCode>;
  sourceOf(key: string): string;
}
