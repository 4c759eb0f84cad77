/** Chooses one of the epochs that something was recorded for. */
interface EpochSliderProps {
  readonly epochs: readonly number[];
  /** The chosen one's place. */
  readonly at: number;
  readonly choose: (at: number) => void;
}

export function EpochSlider({ epochs, at, choose }: EpochSliderProps) {
  return (
    <label class="slider">
      Epoch
      <input
        type="range"
        min={0}
        max={epochs.length - 1}
        value={at}
        aria-valuetext={`epoch ${epochs[at]}`}
        onInput={(event) => choose(Number(event.currentTarget.value))}
      />
      <output>{epochs[at]}</output>
    </label>
  );
}
