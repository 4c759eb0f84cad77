/** VGG-16 for CIFAR-10 and ImageNet: Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D, with batch normalisation. */
import { network } from "../nn/index.js";

/** Channels of the 3x3 convolutions between poolings. */
const stages = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
];

/**
 * 13 convolutions, each with batch norm and activation, a maximum over 2x2 after each stage; then fully
 * connected 512 to 4096, 4096 and 10, without batch norm but where the method has to have one.
 * 33,634,240 parameters; 33,633,344 where the method puts batch norm before its layers. XNOR-Net as its authors
 * have it signs normalised values in the classifier too, with 9,216 parameters more.
 *
 * Images of 224 pixels give a last map of 7x7, and the classifier 25,088 inputs: ImageNet's network, 138,352,576 parameters
 * for 1,000 classes. The last map is flattened as it is, whatever its size.
 */
export const vgg16 = network("vgg16", { input: [32, 32, 3], classes: 10 }, (net, images) => {
  let x = images;
  let index = 0;
  for (const stage of stages) {
    stage.forEach((channels, i) => {
      index++;
      const pool = i === stage.length - 1 ? { kind: "maximum" as const, size: 2 } : undefined;
      x = net.block(`conv${index}`, x, {
        channels,
        kernel: 3,
        padding: 1,
        norm: { name: `bn${index}` },
        pool,
      });
    });
  }
  x = net.dropout(net.block("fc1", net.flatten(x), { features: 4096 }));
  x = net.dropout(net.block("fc2", x, { features: 4096 }));
  return net.linear("fc3", x, { features: net.classes });
});
