// The page: it starts the worker and shows what comes back.
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
worker.addEventListener("message", ({ data }) =>
  document.querySelector("#result")?.replaceChildren(String(data)),
);
