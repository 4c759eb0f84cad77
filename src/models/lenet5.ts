/** LeNet-5 for 28x28 digits, in the form that the studies of quantization use: with batch normalisation. */
import { network } from "../nn/index.js";

const epsilon = 1e-4;

/**
 * conv 5x5 to 20, conv 5x5 to 50, each with batch norm, activation and 2x2 pooling; then fully
 * connected 800 to 500, 250 and 10. The first batch norm has no scale and shift. 554,600 parameters;
 * 555,640 where the method puts batch norm before its layers.
 */
export const lenet5 = network("lenet5", { input: [28, 28, 1], classes: 10 }, (net, images) => {
  const pool = { size: 2 };
  const norm = (name: string) => ({ name, epsilon });
  let x = net.block("conv1", images, {
    channels: 20,
    kernel: 5,
    norm: { ...norm("bn1"), affine: false },
    pool,
  });
  x = net.block("conv2", x, { channels: 50, kernel: 5, norm: norm("bn2"), pool });
  x = net.block("fc1", net.flatten(x), { features: 500, norm: norm("bn3") });
  x = net.block("fc2", x, { features: 250, norm: norm("bn4") });
  return net.linear("fc3", x, { features: net.classes });
});
