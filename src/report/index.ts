/** Reports: runs beside the published table, as tables, plots and data. */
import type { Report } from "./report.js";

export { costing } from "./cost.js";
export { csv } from "./csv.js";
export { markdown } from "./markdown.js";
export type { ReportOptions } from "./model.js";
export { buildReport, buildReportInSlices } from "./model.js";
export { page } from "./page.js";
export { summaryText } from "./prose.js";
export type * from "./report.js";
export { tablesCss, tablesHtml } from "./tables-html.js";

/** The report as JSON: what `report.ts` describes. */
export const json = (report: Report): string => `${JSON.stringify(report, undefined, 2)}\n`;
