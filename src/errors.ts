/**
 * A mistake of the user's: a wrong option, file or shape. The message is one line that names the
 * thing, the value given, what is allowed and how to mend it. The command line prints it without a
 * stack trace and exits with code 2.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  /** The configuration field at fault, so that the command line can say which flag set it. */
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}

/** Training stopped because its numbers broke down (exit code 3). The last good checkpoint is kept. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
}
