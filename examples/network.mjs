// A network and data of one's own: which half of an 8x8 image is brighter?
import { datasets, network, optim, quant, train } from "fewbit";

const halves = network("halves", { input: [8, 8, 1], classes: 2 }, (net, images) => {
  // Layers with norm, activation and pooling, in the order of whatever method trains them.
  let x = net.block("conv1", images, {
    channels: 8,
    kernel: 3,
    padding: 1,
    norm: { name: "bn1" },
    pool: { size: 2 },
  });
  x = net.block("fc1", net.flatten(x), { features: 16, norm: { name: "bn2" } });
  return net.linear("fc2", x, { features: 2 });
});

// Pixels from a fixed sequence; the label says whether the left half (0) or the right (1) got more light.
function make(/** @type {number} */ count, /** @type {number} */ offset) {
  const labels = Uint8Array.from({ length: count }, (_, i) => (i + offset) % 2);
  const images = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const right = i % 8 >= 4 ? 1 : 0;
    const noise = Math.abs(Math.sin((i + offset) * 12.9898) * 43758.5453) % 1;
    return Math.floor(120 * noise + (right === labels[Math.floor(i / 64)] ? 60 : 0));
  });
  return { images, labels };
}

const run = await train({
  model: halves,
  method: quant.dorefa({ weightBits: 2, activationBits: 4 }),
  data: datasets.fromArrays({ train: make(1000, 0), test: make(200, 7777), shape: [8, 8, 1], classes: 2 }),
  optimizer: optim.sgd({ learningRate: 0.05 }),
  epochs: 3,
  batchSize: 50,
});
console.log(`${run.best.top1}% of the test images right`);
