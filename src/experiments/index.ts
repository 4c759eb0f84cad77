/** Studies: many configurations, run to their end on one machine or on many. */
export type { Cell, Collection, FoundFolders, FoundRun } from "./collect.js";
export {
  byName,
  cellOf as cellOfRun,
  collectRuns,
  leadsToRuns,
  linkWarnings,
  readFound,
  runDepth,
  unreadText,
} from "./collect.js";
export { grouped } from "./grouped.js";
export { measureEpoch } from "./estimate.js";
export type { Choice, Trial } from "./pick.js";
export { bestRates, studyOf } from "./pick.js";
export type { Protocol, ReproduceOptions } from "./published.js";
export { protocols, publishedRows, reproduction, tables } from "./published.js";
export type { FollowOptions } from "./follow.js";
export { followStudy } from "./follow.js";
export { maskedUrl, queueUrl } from "./queue.js";
export type { Outcome, StudyListeners, StudyOptions } from "./run-study.js";
export { runStudy } from "./run-study.js";
export type { WorkerListeners } from "./worker-job.js";
export type { WorkerOptions } from "./worker.js";
export { work } from "./worker.js";
export type { Standing, State } from "./standing.js";
export { epochSeconds, isOpen, paceOf, secondsLeft, standingOf } from "./standing.js";
export type { PlannedRun, Study, UnloadedCode } from "./study.js";
export { identityOf, placedStudy, runsOf } from "./study.js";
