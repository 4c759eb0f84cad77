/**
 * The process whose memory `streamed-memory.test.ts` looks at: lists ImageNet's folder and takes two batches of it, as a
 * training does. Prints the images that it knows, those that it got, and the most memory that it had in bytes.
 */
import { trainingBatches } from "../data/batches.js";
import { imagenet } from "../data/imagenet.js";
import { feed } from "./feed.js";

const [directory] = process.argv.slice(2);
const data = await imagenet({ directory, shape: [224, 224, 3] });
const batches = trainingBatches(data, { batchSize: 64, seed: 1 });
let images = 0;
await feed(batches, data.shape, 0, 0, ({ labels }, step) => {
  images += labels.data.length;
  return Promise.resolve(step < 1);
});
const bytes = 1024 * process.resourceUsage().maxRSS;
console.log(JSON.stringify({ listed: data.train.count, images, bytes }));
