/** How the layers' weights develop: levels, sparsity, sign flips, and the histogram of one layer. */
import { useMemo, useState } from "preact/hooks";
import type { LayerHistory } from "../../src/dashboard/api.js";
import type { Line } from "./chart.js";
import { Chart } from "./chart.js";
import { EpochSlider } from "./epoch-slider.js";
import { number, percent } from "./format.js";
import { HeatMap } from "./heat-map.js";
import { Histogram } from "./histogram.js";
import { lineStyle, useTheme } from "./theme.js";

export function Layers({ layers }: { layers: readonly LayerHistory[] }) {
  const [name, setName] = useState<string>();
  const layer =
    layers.find((each) => each.name === name) ?? layers.find(({ levels }) => levels[0] !== null) ?? layers[0];
  return (
    <section aria-labelledby="layers">
      <h2 id="layers">Layers</h2>
      {layer === undefined ? (
        <p class="hint">Nothing is recorded before the first epoch's end.</p>
      ) : (
        <>
          <div class="controls">
            <label>
              Layer
              <select value={layer.name} onChange={(event) => setName(event.currentTarget.value)}>
                {layers.map((each) => (
                  <option key={each.name}>{each.name}</option>
                ))}
              </select>
            </label>
          </div>
          <Weights key={layer.name} layer={layer} />
          <Development layers={layers} chosen={layer} />
        </>
      )}
    </section>
  );
}

/** The chosen layer's histogram: all epochs as a map, and one of them as bars. */
function Weights({ layer }: { layer: LayerHistory }) {
  const [chosen, setChosen] = useState<number>();
  const lastOne = layer.epochs.length - 1;
  const at = chosen === undefined ? lastOne : Math.min(chosen, lastOne);
  const levels = layer.levels[at];
  return (
    <>
      <div class="controls">
        <EpochSlider epochs={layer.epochs} at={at} choose={setChosen} />
        <dl class="inline">
          <dt>levels</dt>
          <dd>{levels ?? "full precision"}</dd>
          <dt>sparsity</dt>
          <dd>{percent(100 * layer.sparsity[at])}</dd>
          <dt>signs flipped</dt>
          <dd>{percent(100 * layer.signFlips[at])}</dd>
          <dt>weights from</dt>
          <dd>
            {number(layer.lowest[at], 3)} to {number(layer.highest[at], 3)}
          </dd>
        </dl>
      </div>
      <div class="charts two">
        <HeatMap layer={layer} at={at} />
        <Histogram layer={layer} at={at} />
      </div>
    </>
  );
}

/** All layers, the chosen one drawn strong. */
function Development({ layers, chosen }: { layers: readonly LayerHistory[]; chosen: LayerHistory }) {
  const { dark } = useTheme();
  const charts = useMemo(() => {
    const x = chosen.epochs;
    const strong = lineStyle(0, dark).colour;
    const lines = (values: (layer: LayerHistory) => readonly (number | null)[]): Line[] =>
      // The chosen one last, so that it lies on top.
      [...layers.filter((layer) => layer !== chosen), chosen]
        .filter((layer) => values(layer).some((value) => value !== null))
        .map((layer) => ({
          label: layer.name,
          values: values(layer),
          colour: layer === chosen ? strong : dark ? "#8b93a166" : "#6b728066",
          width: layer === chosen ? 2.5 : 1.25,
        }));
    return {
      levels: { x, lines: lines(({ levels }) => levels) },
      sparsity: { x, lines: lines(({ sparsity }) => sparsity.map((share) => 100 * share)) },
      signFlips: { x, lines: lines(({ signFlips }) => signFlips.map((share) => 100 * share)) },
    };
  }, [layers, chosen, dark]);
  return (
    <>
      <h3>All layers over the epochs; {chosen.name} is drawn strong</h3>
      <div class="charts">
        {charts.levels.lines.length === 0 ? (
          <p class="hint">All layers are in full precision, so there are no quantization levels.</p>
        ) : (
          <Chart title="Quantization levels in use" xLabel="epoch" {...charts.levels} />
        )}
        <Chart title="Sparsity: weights that are zero" xLabel="epoch" {...charts.sparsity} format={percent} />
        <Chart title="Signs flipped in an epoch" xLabel="epoch" {...charts.signFlips} format={percent} />
      </div>
    </>
  );
}
