/** Stops a run, after a question. */
import { useRef, useState } from "preact/hooks";
import { ownHeader } from "../../src/dashboard/api.js";
import type { Run } from "./store.js";
import { store } from "./store.js";

export function StopButton({ run }: { run: Run }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [failure, setFailure] = useState<string>();
  if (run.state !== "running") return null;
  if (run.stopping) return <p class="hint">Asked to stop; it ends after the step it is at.</p>;

  const stop = async (): Promise<void> => {
    dialog.current?.close();
    const reason = await ask(run.id);
    setFailure(reason);
    store.say(reason ?? `${run.name} was asked to stop`);
  };
  return (
    <>
      <button type="button" class="danger" onClick={() => dialog.current?.showModal()}>
        Stop this run
      </button>
      {failure !== undefined && <p class="failure">It could not be stopped: {failure}</p>}
      <dialog ref={dialog} aria-labelledby="stop-title" aria-describedby="stop-text">
        <h2 id="stop-title">Stop {run.name}?</h2>
        <p id="stop-text">
          It ends within a moment and saves the step it is at, epoch {run.epochs + 1} of {run.epochsPlanned}.
          It can be resumed: <code>fewbit train --resume</code> with its folder goes on from there.
        </p>
        <div class="buttons">
          <button type="button" autofocus onClick={() => dialog.current?.close()}>
            Let it train
          </button>
          <button type="button" class="danger" onClick={() => void stop()}>
            Stop it
          </button>
        </div>
      </dialog>
    </>
  );
}

/** Why it failed; undefined if it did not. */
async function ask(id: string): Promise<string | undefined> {
  try {
    const response = await fetch(`/api/runs/${id}/stop`, {
      method: "POST",
      headers: { [ownHeader]: "1" },
    });
    if (response.ok) return undefined;
    const { error } = (await response.json()) as { error?: string };
    return error ?? `the server answered ${response.status}`;
  } catch {
    return "the dashboard does not answer";
  }
}
