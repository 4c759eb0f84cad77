/** The report's tables as HTML: what the runs that are there reach, beside what was published. */
import { buildReportInSlices, costing, tablesHtml } from "../report/index.js";
import type { Watch } from "./watch.js";

/** Goes with the tables. */
export { tablesCss } from "../report/index.js";

/** The tables of a watch's runs, made once for all who ask before something changes, while other requests are answered. */
export class Tables {
  private readonly costOf = costing();
  private made: { readonly position: string; readonly html: Promise<string> } | undefined;

  constructor(private readonly watch: Pick<Watch, "collection" | "feed">) {}

  html(): Promise<string> {
    const { position } = this.watch.feed;
    if (this.made?.position === position) return this.made.html;
    const html = this.make();
    this.made = { position, html };
    html.catch(() => (this.made = undefined)); // who asks next tries again
    return html;
  }

  private async make(): Promise<string> {
    const collection = this.watch.collection();
    if (collection.runs.length === 0) return "<p>No run has begun yet.</p>\n";
    return tablesHtml(await buildReportInSlices(collection, { costOf: this.costOf }));
  }
}
