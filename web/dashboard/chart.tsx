/** Curves, drawn by uPlot; beside them the same as a table, for those who do not see them. */
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { number } from "./format.js";
import { useTheme } from "./theme.js";

export interface Line {
  readonly label: string;
  /** One for each of the x; null where there is none. */
  readonly values: readonly (number | null | undefined)[];
  readonly colour: string;
  readonly dash?: number[];
  readonly width?: number;
}

export interface ChartProps {
  readonly title: string;
  readonly xLabel: string;
  readonly x: readonly number[];
  readonly lines: readonly Line[];
  /** How a value reads. */
  readonly format?: (value: number) => string;
  readonly logarithmic?: boolean;
  /** A value holds since the x before, as a learning rate does. */
  readonly stepped?: boolean;
  readonly height?: number;
}

/** Distances of ticks on an axis of epochs, of which there are no parts. */
const whole = [1, 10, 100, 1000, 10_000].flatMap((by) => [1, 2, 5].map((each) => each * by));
/** Ticks of a logarithmic axis: powers of ten, unless it spans less than two. */
function decades(_: uPlot, at: number[]): (number | null)[] {
  const powers = at.map((y) => (Math.abs(Math.log10(y) - Math.round(Math.log10(y))) < 1e-6 ? y : null));
  return powers.filter((y) => y !== null).length < 2 ? at : powers;
}

export function Chart(props: ChartProps) {
  const { title, xLabel, x, lines, height = 240, logarithmic = false, stepped = false } = props;
  const { format = (value: number) => number(value) } = props;
  const { dark } = useTheme();
  const place = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLParagraphElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = useMemo(() => [x, ...lines.map(({ values }) => values)] as uPlot.AlignedData, [x, lines]);
  const looks = lines.map(({ label, colour, dash, width }) => [label, colour, dash, width]);
  const structure = JSON.stringify([looks, xLabel, dark, logarithmic, height]);
  const points = x.length < 2;

  useEffect(() => {
    const element = place.current!;
    const { color } = getComputedStyle(element);
    const line = { stroke: dark ? "#ffffff1c" : "#0000001a", width: 1 };
    const grid = logarithmic ? { ...line, filter: decades } : line;
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: color, grid: line, ticks: line, font, labelFont: font };
    const tell = (u: uPlot): void => {
      const at = u.cursor.idx;
      const near = u.series.findIndex(
        (series, i) => i > 0 && (series as { _focus?: boolean })._focus === true,
      );
      const chosen = near > 0 ? near : lines.length === 1 ? 1 : -1;
      const value = at == null || chosen < 0 ? undefined : u.data[chosen][at];
      readout.current!.textContent =
        value == null || at == null
          ? ""
          : `${lines[chosen - 1].label}: ${format(value)} at ${xLabel} ${number(u.data[0][at])}`;
    };
    const options: uPlot.Options = {
      width: Math.max(200, element.clientWidth),
      height,
      scales: { x: { time: false }, y: logarithmic ? { distr: 3 } : {} },
      axes: [
        { ...axis, label: xLabel, labelSize: 18, size: 32, ...(xLabel === "epoch" ? { incrs: whole } : {}) },
        {
          ...axis,
          grid,
          ticks: grid,
          size: 64,
          values: (_, at) => at.map((y) => (y == null ? "" : number(y, 6))),
        },
      ],
      series: [
        { label: xLabel },
        ...lines.map(({ label, colour, dash, width = 1.75 }) => ({
          label,
          stroke: colour,
          dash,
          width,
          spanGaps: true,
          ...(stepped ? { paths: uPlot.paths.stepped!({ align: -1 }) } : {}),
          points: { show: points, size: 6, fill: colour },
        })),
      ],
      cursor: { focus: { prox: 30 }, points: { size: 7 } },
      focus: { alpha: lines.length > 1 ? 0.35 : 1 },
      legend: { show: false },
      hooks: { setCursor: [tell], setSeries: [tell] },
    };
    const drawn = new uPlot(options, data, element);
    plot.current = drawn;
    const observer = new ResizeObserver(() => {
      drawn.setSize({ width: Math.max(200, element.clientWidth), height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [structure, points]);

  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div
        ref={place}
        class="plot"
        role="img"
        aria-label={summary(props, format)}
        style={{ minHeight: `${height}px` }}
      />
      <p ref={readout} class="readout" aria-hidden="true" />
      <Numbers {...props} format={format} />
    </figure>
  );
}

/** What the curves say, in a sentence. */
function summary({ title, xLabel, x, lines }: ChartProps, format: (value: number) => string): string {
  if (x.length === 0) return `${title}: nothing yet`;
  const range = `${xLabel} ${number(x[0])} to ${number(x[x.length - 1])}`;
  if (lines.length > 6)
    return `${title}: ${lines.length} curves, ${range}. The numbers are in the table below.`;
  const ends = lines.map(({ label, values }) => {
    const known = values.filter((value): value is number => value != null);
    return known.length === 0
      ? `${label} has none`
      : `${label} from ${format(known[0])} to ${format(known[known.length - 1])}`;
  });
  return `${title}, ${range}: ${ends.join("; ")}`;
}

/** A row for each x where lines are few, else a row for each line. */
function Numbers({ title, xLabel, x, lines, format }: ChartProps & { format: (value: number) => string }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <details class="numbers" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Numbers<span class="unseen"> of {title}</span>
      </summary>
      {open && (
        <div class="scroller" tabIndex={0} role="region" aria-labelledby={id}>
          <table>
            <caption id={id}>{title}</caption>
            {lines.length <= 4 ? (
              <ByX xLabel={xLabel} x={x} lines={lines} format={format} />
            ) : (
              <ByLine xLabel={xLabel} x={x} lines={lines} format={format} />
            )}
          </table>
        </div>
      )}
    </details>
  );
}

type NumbersProps = Pick<ChartProps, "xLabel" | "x" | "lines"> & { format: (value: number) => string };

function ByX({ xLabel, x, lines, format }: NumbersProps) {
  return (
    <>
      <thead>
        <tr>
          <th scope="col">{xLabel}</th>
          {lines.map(({ label }, i) => (
            <th key={i} scope="col">
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {x.map((at, i) => (
          <tr key={at}>
            <th scope="row">{number(at)}</th>
            {lines.map(({ values }, line) => (
              <td key={line}>{values[i] == null ? "" : format(values[i])}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </>
  );
}

function ByLine({ xLabel, x, lines, format }: NumbersProps) {
  return (
    <>
      <thead>
        <tr>
          {["line", "first", "lowest", "highest", "last", `last ${xLabel}`].map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map(({ label, values }, i) => {
          const known = values
            .map((value, at) => ({ value, at: x[at] }))
            .filter(({ value }) => value != null);
          const numbers = known.map(({ value }) => value as number);
          const show = (value: number | undefined): string => (value === undefined ? "" : format(value));
          return (
            <tr key={i}>
              <th scope="row">{label}</th>
              <td>{show(numbers[0])}</td>
              <td>{numbers.length === 0 ? "" : format(Math.min(...numbers))}</td>
              <td>{numbers.length === 0 ? "" : format(Math.max(...numbers))}</td>
              <td>{show(numbers[numbers.length - 1])}</td>
              <td>{number(known[known.length - 1]?.at)}</td>
            </tr>
          );
        })}
      </tbody>
    </>
  );
}
