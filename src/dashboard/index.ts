/** `fewbit dashboard`: a local page of all runs, live. */
export type { Dashboard, DashboardOptions } from "./server.js";
export { startDashboard } from "./server.js";
