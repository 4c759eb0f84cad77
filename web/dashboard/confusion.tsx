/** What the network takes for what: one row per class, one column per answer. */
import { useState } from "preact/hooks";
import type { ConfusionMatrix } from "../../src/dashboard/api.js";
import { EpochSlider } from "./epoch-slider.js";

interface ConfusionProps {
  readonly matrices: readonly ConfusionMatrix[];
  readonly names: readonly string[];
}

export function Confusion({ matrices, names }: ConfusionProps) {
  const [chosen, setChosen] = useState<number>();
  const lastOne = matrices.length - 1;
  const at = chosen === undefined ? lastOne : Math.min(chosen, lastOne);
  return (
    <section aria-labelledby="confusion">
      <h2 id="confusion">Confusion matrix</h2>
      {matrices.length === 0 ? (
        <p class="hint">Not recorded in this run.</p>
      ) : (
        <>
          <div class="controls">
            <EpochSlider epochs={matrices.map(({ epoch }) => epoch)} at={at} choose={setChosen} />
          </div>
          <Matrix matrix={matrices[at]} names={names} />
          <Mistakes matrix={matrices[at]} names={names} />
        </>
      )}
    </section>
  );
}

const sum = (row: readonly number[]): number => row.reduce((total, each) => total + each, 0);

function Matrix({
  matrix: { counts, epoch, split },
  names,
}: {
  matrix: ConfusionMatrix;
  names: readonly string[];
}) {
  return (
    <div class="scroller matrix" tabIndex={0} role="region" aria-label="Counts of the confusion matrix">
      <table>
        <caption>
          Images of the {split} set after epoch {epoch}: each row a class, each column what the network
          answered, with the share of the row
        </caption>
        <thead>
          <tr>
            <th scope="col">class</th>
            {names.map((name, i) => (
              <th key={i} scope="col">
                {name}
              </th>
            ))}
            <th scope="col">right</th>
          </tr>
        </thead>
        <tbody>
          {counts.map((row, label) => {
            const total = Math.max(1, sum(row));
            return (
              <tr key={label}>
                <th scope="row">{names[label]}</th>
                {row.map((each, answer) => (
                  <Count key={answer} count={each} share={each / total} right={answer === label} />
                ))}
                <td>{((100 * row[label]) / total).toFixed(1)}%</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Count({ count, share, right }: { count: number; share: number; right: boolean }) {
  if (count === 0) return <td class="nothing">0</td>;
  // Mistakes are few: the square root makes them seen. Text stays readable on the strongest shade.
  const strength = Math.round(8 + 40 * Math.sqrt(share));
  const colour = `color-mix(in srgb, var(${right ? "--right" : "--wrong"}) ${strength}%, transparent)`;
  return (
    <td style={{ backgroundColor: colour }}>
      {count} <small>{(100 * share).toFixed(1)}%</small>
    </td>
  );
}

/** The pairs that are confused most. */
function Mistakes({ matrix: { counts }, names }: { matrix: ConfusionMatrix; names: readonly string[] }) {
  const pairs = counts
    .flatMap((row, label) => row.map((count, answer) => ({ count, label, answer })))
    .filter(({ count, label, answer }) => label !== answer && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, 5);
  if (pairs.length === 0) return <p>No mistakes.</p>;
  return (
    <p>
      Most often:{" "}
      {pairs
        .map(({ count, label, answer }) => `${names[label]} taken for ${names[answer]} (${count})`)
        .join(", ")}
      .
    </p>
  );
}
