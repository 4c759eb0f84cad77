/** Draws with Observable Plot into SVG text, on a document that is no browser's. */
import { Html } from "./markup.js";

/** The type of Plot's options here: its own types need those of a browser, which Node does not have. */
export type PlotOptions = Readonly<Record<string, unknown>>;
type Mark = (data: readonly unknown[], options?: PlotOptions) => object;

/** The marks used here. */
export interface Marks extends Readonly<Record<"dot" | "line" | "text", Mark>> {
  frame(options: PlotOptions): object;
}

export interface Drawing {
  readonly svg: Html;
  /** The legend of the symbols, if the options ask for one. */
  readonly legend: Html;
}

export interface Pen {
  readonly marks: Marks;
  /** Title and description are for screen readers. */
  draw(title: string, description: string, options: PlotOptions): Drawing;
}

/** The used part of a document. */
interface Element {
  readonly outerHTML: string;
  readonly localName: string;
  textContent: string;
  querySelector(selector: string): Element | null;
  querySelectorAll(selector: string): Iterable<Element>;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  prepend(...children: Element[]): void;
  remove(): void;
}
interface Page {
  createElementNS(namespace: string, name: string): Element;
}
type Draw = (options: PlotOptions) => Element;

/** Loads the libraries, which takes a moment. */
export async function createPen(): Promise<Pen> {
  const [plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as {
    document: Page;
  };
  return {
    marks: plot as unknown as Marks,
    draw(title, description, options) {
      const drawn = (plot.plot as unknown as Draw)({ document, className: "fb-plot", ...options });
      // The page has the style of all plots once.
      for (const style of [...drawn.querySelectorAll("style")]) style.remove();
      const svg = drawn.localName === "svg" ? drawn : drawn.querySelector("figure > svg")!;
      const named = (name: string, text: string) => {
        const element = document.createElementNS("http://www.w3.org/2000/svg", name);
        element.textContent = text;
        return element;
      };
      svg.prepend(named("title", title), named("desc", description));
      svg.setAttribute("role", "img");
      // Narrow screens make it smaller as far as it can still be read, and scroll then. Charts 600 wide fit a phone of 390.
      svg.setAttribute("style", `min-width: ${Math.round(0.6 * Number(svg.getAttribute("width")))}px`);
      const legend = drawn.querySelector(".fb-plot-swatches");
      return { svg: new Html(svg.outerHTML), legend: new Html(legend?.outerHTML ?? "") };
    },
  };
}

/** Style of the plots. Colours of series stand in both themes beside one another for all kinds of colour vision. */
export const plotsCss = `.fb-figure {
  --fb-s1: #0072b2; --fb-s2: #d55e00; --fb-s3: #008a63; --fb-s4: #b3508a; --fb-s5: #8a6d00; --fb-s6: #3f4a5a;
  margin: 1rem 0; overflow-x: auto;
}
@media (prefers-color-scheme: dark) {
  .fb-figure {
    --fb-s1: #56b4e9; --fb-s2: #ff9a4d; --fb-s3: #3ecf9f; --fb-s4: #e39ac6; --fb-s5: #f0e442; --fb-s6: #b9c3d0;
  }
}
.fb-plot { display: block; height: auto; max-width: 100%; overflow: visible; color: var(--fb-text); }
.fb-costs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 0 1.5rem; }
.fb-costs > .fb-figure { min-width: 0; }
.fb-key { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.75rem; font-size: 0.8125rem; color: var(--fb-muted); }
.fb-plot text, .fb-plot tspan { white-space: pre; font-family: inherit; }
.fb-plot-swatches, .fb-pairs { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; font-size: 0.8125rem; margin: 0.25rem 0; padding: 0; list-style: none; }
.fb-plot-swatch, .fb-pairs li { display: inline-flex; align-items: center; gap: 0.35rem; }
.fb-plot-swatch svg, .fb-pairs svg { overflow: visible; flex: none; }
.fb-figure figcaption { font-size: 0.8125rem; color: var(--fb-muted); margin-top: 0.25rem; }
.fb-curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1rem 1.5rem; }
@media print { .fb-figure, .fb-curves > div { break-inside: avoid; } }
`;
