/** Histograms of a layer's weights, one column per epoch: the darker, the denser. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { LayerHistory } from "../../src/dashboard/api.js";
import { number } from "./format.js";
import { lineStyle, useTheme } from "./theme.js";

const height = 240;
const margin = { left: 58, right: 8, top: 8, bottom: 36 };

export function HeatMap({ layer, at }: { layer: LayerHistory; at: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { dark } = useTheme();
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const place = canvas.current!.parentElement!;
    const observer = new ResizeObserver(() => setWidth(place.clientWidth));
    observer.observe(place);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width > 0) draw(canvas.current!, layer, at, width, dark);
  }, [layer, at, width, dark]);
  const [first, final] = [layer.epochs[0], layer.epochs[layer.epochs.length - 1]];
  return (
    <figure class="chart">
      <figcaption>Weights of {layer.name} over the epochs</figcaption>
      <div class="plot">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Density of the weights of ${layer.name}, epochs ${first} to ${final}, from ${spread(layer, 0)} to ${spread(layer, layer.epochs.length - 1)}. The histogram beside it has the numbers of the epoch chosen.`}
        />
      </div>
    </figure>
  );
}

const spread = ({ lowest, highest }: LayerHistory, i: number): string =>
  `${number(lowest[i], 3)}…${number(highest[i], 3)}`;

function draw(
  canvas: HTMLCanvasElement,
  layer: LayerHistory,
  at: number,
  width: number,
  dark: boolean,
): void {
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const low = Math.min(...layer.lowest);
  const high = Math.max(...layer.highest);
  const span = high > low ? high - low : 1;
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const y = (value: number): number => margin.top + ((high - value) / span) * inner.height;
  const column = inner.width / layer.epochs.length;
  // On whole pixels, or neighbours show a seam.
  const snap = (value: number): number => Math.round(value * ratio) / ratio;
  const edges = Array.from({ length: layer.epochs.length + 1 }, (_, i) => snap(margin.left + i * column));
  const { colour } = lineStyle(0, dark);

  context.fillStyle = colour;
  for (const [i, counts] of layer.counts.entries()) {
    const most = Math.max(1, ...counts);
    const bin = (layer.highest[i] - layer.lowest[i]) / counts.length;
    for (const [k, count] of counts.entries()) {
      if (count === 0) continue;
      // The square root shows tails that a proportional scale would lose.
      context.globalAlpha = 0.06 + 0.94 * Math.sqrt(count / most);
      const top = snap(y(layer.lowest[i] + (k + 1) * bin));
      const bottom = snap(y(layer.lowest[i] + k * bin));
      context.fillRect(edges[i], top, edges[i + 1] - edges[i], Math.max(1, bottom - top));
    }
  }
  context.globalAlpha = 1;
  const text = getComputedStyle(canvas).color;
  context.strokeStyle = text;
  context.strokeRect(margin.left + at * column + 0.5, margin.top, Math.max(2, column - 1), inner.height);
  context.fillStyle = text;
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of [high, (high + low) / 2, low]) {
    context.fillText(
      number(value, 3),
      margin.left - 6,
      Math.min(height - margin.bottom - 5, Math.max(14, y(value))),
    );
  }
  context.textBaseline = "top";
  context.textAlign = "left";
  context.fillText(String(layer.epochs[0]), margin.left, height - margin.bottom + 5);
  context.textAlign = "right";
  context.fillText(
    String(layer.epochs[layer.epochs.length - 1]),
    width - margin.right,
    height - margin.bottom + 5,
  );
  context.textAlign = "center";
  context.fillText("epoch", margin.left + inner.width / 2, height - 16);
}
