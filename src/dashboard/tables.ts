/** The report's tables as HTML: what the runs that are there reach, beside what was published. */
import type { Collection } from "../experiments/index.js";
import { buildReport, tablesHtml as reportTables } from "../report/index.js";

/** Goes with `tablesHtml`. */
export { tablesCss } from "../report/index.js";

export const tablesHtml = (collection: Collection): string =>
  collection.runs.length === 0 ? "<p>No run has begun yet.</p>\n" : reportTables(buildReport(collection));
