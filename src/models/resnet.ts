/**
 * Residual networks by depth; those for CIFAR-10 are He et al. 2016, "Deep residual learning for image recognition",
 * arXiv 1512.03385, section 4.2.
 */
import { shown, UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import { network, normalFanOut } from "../nn/index.js";
import { imageNetResnet, isImageNetDepth } from "./resnet-imagenet.js";

/** The deepest of section 4.2. */
const deepest = 1202;

/** The depths that there are, in words. */
export const depths = `18 or 34 for ImageNet, or 6n + 2 from 8 to ${deepest}, such as 20, 32 or 56`;

const isCifarDepth = (depth: unknown): boolean =>
  typeof depth === "number" && depth % 6 === 2 && depth >= 8 && depth <= deepest;

/** Whether there is a network of a depth. */
export const isDepth = (depth: unknown): boolean => isImageNetDepth(depth) || isCifarDepth(depth);

/** The network of a depth: that for ImageNet of 18 or 34, of 6n + 2 that for CIFAR-10. @throws UserError for another depth */
export function resnet(depth: number): Network {
  if (isImageNetDepth(depth)) return imageNetResnet(depth, "paper");
  if (isCifarDepth(depth)) return cifarResnet(depth);
  throw new UserError(`depth must be ${depths}, got ${shown(depth)}`, "depth");
}

/**
 * depth = 6n + 2: a 3x3 convolution to 16 channels; three stages of n residual blocks with 16, 32 and 64
 * channels, the second and third beginning with stride 2; the mean of each channel; one linear layer.
 * The order within blocks is the method's. ResNet-20 has 272,464 parameters, ResNet-50 (n = 8, of basic
 * blocks) 758,544, a little fewer where the method normalises the inputs of layers.
 *
 * QNN activates once more after the last pooling. That is left out: the mean of values in [-1, 1], or of values
 * not negative, is one, so that it would change neither value nor gradient.
 */
function cifarResnet(depth: number): Network {
  const blocks = (depth - 2) / 6;
  const initial = normalFanOut;
  return network(`resnet${depth}`, { input: [32, 32, 3], classes: 10 }, (net, images) => {
    let x = net.block("conv1", images, {
      channels: 16,
      kernel: 3,
      padding: 1,
      initial,
      norm: { name: "bn1" },
    });
    [16, 32, 64].forEach((channels, stage) => {
      for (let i = 0; i < blocks; i++) {
        const stride = stage > 0 && i === 0 ? 2 : 1;
        x = net.residual(`stage${stage + 1}.block${i + 1}`, x, { channels, stride, initial });
      }
    });
    const [, height, width] = x.shape;
    x = net.pool(x, { kind: "average", size: [height, width] });
    return net.linear("fc", net.flatten(x), { features: net.classes });
  });
}

export const resnet18 = resnet(18);
export const resnet20 = resnet(20);
export const resnet50 = resnet(50);
