/** What the command line's exit codes mean. */
export const exitCodes = { ok: 0, failure: 1, userError: 2, diverged: 3, interrupted: 130 } as const;
