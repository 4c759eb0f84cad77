// Trains in a Web Worker and posts what came of it.
import { fetchWasm } from "../../dist/web.js";
import { trainAll } from "./train.js";

try {
  postMessage({ results: await trainAll(await fetchWasm()) });
} catch (error) {
  postMessage({ error: `${error}` });
}
