/** LeNet-5 for 28x28 digits, in the form that the studies of quantization use: with batch normalisation. */
import { network } from "../nn/index.js";

const epsilon = 1e-4;

/**
 * conv 5x5 to 20, conv 5x5 to 50, each with batch norm, activation and 2x2 pooling; then fully
 * connected 800 to 500, 250 and 10. The first batch norm has no scale and shift. 554,600 parameters.
 */
export const lenet5 = network("lenet5", { input: [28, 28, 1], classes: 10 }, (net, images) => {
  let x = net.convolution("conv1", images, { channels: 20, kernel: 5 });
  x = net.nonlinearity(net.batchNorm("bn1", x, { affine: false, epsilon }));
  x = net.pool(x, { size: 2 });
  x = net.convolution("conv2", x, { channels: 50, kernel: 5 });
  x = net.nonlinearity(net.batchNorm("bn2", x, { epsilon }));
  x = net.flatten(net.pool(x, { size: 2 }));
  x = net.linear("fc1", x, { features: 500 });
  x = net.nonlinearity(net.batchNorm("bn3", x, { epsilon }));
  x = net.linear("fc2", x, { features: 250 });
  x = net.nonlinearity(net.batchNorm("bn4", x, { epsilon }));
  return net.linear("fc3", x, { features: net.classes });
});
