/** The histogram of a layer's weights after one epoch, as bars and as a table. */
import { useId, useState } from "preact/hooks";
import type { LayerHistory } from "../../src/dashboard/api.js";
import { count, number } from "./format.js";

const [width, height] = [320, 200];

export function Histogram({ layer, at }: { layer: LayerHistory; at: number }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const counts = layer.counts[at];
  const [lowest, highest] = [layer.lowest[at], layer.highest[at]];
  const most = Math.max(1, ...counts);
  const bin = (highest - lowest) / counts.length;
  const edge = (i: number): string => number(lowest + i * bin, 3);
  const title = `Weights of ${layer.name} after epoch ${layer.epochs[at]}`;
  const peak = counts.indexOf(Math.max(...counts));
  const total = counts.reduce((sum, each) => sum + each, 0);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div class="bars">
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title}: ${count(total, "weight")} from ${edge(0)} to ${edge(counts.length)}, most from ${edge(peak)} to ${edge(peak + 1)}`}
        >
          {counts.map((each, i) => (
            <rect
              key={i}
              x={(i * width) / counts.length + 0.5}
              y={height - (each / most) * height}
              width={width / counts.length - 1}
              height={(each / most) * height}
            />
          ))}
        </svg>
        <p class="edges" aria-hidden="true">
          <span>{edge(0)}</span>
          <span>{edge(counts.length / 2)}</span>
          <span>{edge(counts.length)}</span>
        </p>
      </div>
      <details class="numbers" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          Numbers<span class="unseen"> of {title}</span>
        </summary>
        {open && (
          <div class="scroller" tabIndex={0} role="region" aria-labelledby={id}>
            <table>
              <caption id={id}>{title}</caption>
              <thead>
                <tr>
                  <th scope="col">from</th>
                  <th scope="col">to</th>
                  <th scope="col">weights</th>
                </tr>
              </thead>
              <tbody>
                {counts.map((each, i) => (
                  <tr key={i}>
                    <td>{edge(i)}</td>
                    <td>{edge(i + 1)}</td>
                    <td>{each.toLocaleString("en")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </details>
    </figure>
  );
}
