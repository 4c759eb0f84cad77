/** Residual networks for ImageNet: He et al. 2016, "Deep residual learning for image recognition", arXiv 1512.03385, table 1. */
import type { Network } from "../nn/index.js";
import { network, normalFanOut } from "../nn/index.js";
import type { Preset } from "../quantization/index.js";
import { imageNet, inPreset } from "./imagenet.js";

/** The residual blocks of each stage, by depth; deeper networks have blocks of another kind. */
const stages = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3] } as const;

/** A depth of the networks for ImageNet. */
export type ImageNetDepth = keyof typeof stages;
/** Whether it is one. */
export const isImageNetDepth = (depth: unknown): depth is ImageNetDepth =>
  typeof depth === "number" && Object.hasOwn(stages, depth);

/** The window of the framework's last pooling, whatever the size of the map. */
const window = 7;

/**
 * A 7x7 convolution of stride 2 to 64 channels and a maximum over 3x3 of stride 2; four stages of residual blocks with 64,
 * 128, 256 and 512 channels, the later ones beginning with stride 2; the mean of each channel; one linear layer. The order
 * within blocks is the method's. ResNet-18 has 11,688,512 parameters, a little fewer where the method normalises the inputs
 * of layers.
 *
 * In preset "redbit" the mean is over a window of 7x7, which leaves out the last row and column of the map of 8x8 that
 * images of 227 pixels give. Maps that are smaller count wholly.
 *
 * @param narrowest the channels of the first stage; fewer are for tests.
 */
export function imageNetResnet(depth: ImageNetDepth, preset: Preset, narrowest = 64): Network {
  const initial = normalFanOut;
  return inPreset(
    preset,
    network(`resnet${depth}`, imageNet(preset), (net, images) => {
      let x = net.block("conv1", images, {
        channels: narrowest,
        kernel: 7,
        stride: 2,
        padding: 3,
        initial,
        norm: { name: "bn1" },
        pool: { kind: "maximum", size: 3, stride: 2, padding: 1 },
      });
      stages[depth].forEach((blocks, stage) => {
        for (let i = 0; i < blocks; i++) {
          const stride = stage > 0 && i === 0 ? 2 : 1;
          const channels = narrowest * 2 ** stage;
          x = net.residual(`stage${stage + 1}.block${i + 1}`, x, { channels, stride, initial });
        }
      });
      const [, height, width] = x.shape;
      const most = preset === "redbit" ? window : Infinity;
      x = net.pool(x, { kind: "average", size: [Math.min(height, most), Math.min(width, most)] });
      return net.linear("fc", net.flatten(x), { features: net.classes });
    }),
  );
}
