import fc from "fast-check";

// A commit's tests give the same verdict each time; on a developer's machine they explore.
if (process.env.CI) fc.configureGlobal({ seed: 20_261_125 });
