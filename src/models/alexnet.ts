/**
 * AlexNet for ImageNet: Krizhevsky, Sutskever and Hinton 2012, in the form that the studies of quantization use: batch
 * normalisation, neither groups nor local response normalisation.
 */
import { UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import { network } from "../nn/index.js";
import type { Preset } from "../quantization/index.js";
import { imageNet, inPreset } from "./imagenet.js";

/** The channels of the convolutions, and the features of the fully connected layers but the last. */
interface Widths {
  readonly channels: readonly [number, number, number, number, number];
  readonly features: number;
}
const full: Widths = { channels: [96, 256, 384, 384, 256], features: 4096 };

/** The smallest images of which the last pooling has a whole window. */
const least: Readonly<Record<Preset, number>> = { paper: 63, redbit: 67 };

const pool = { kind: "maximum", size: 3, stride: 2 } as const;

/**
 * Convolutions of 11x11 and stride 4, of 5x5, and three of 3x3, each with batch norm and activation; a maximum over 3x3 of
 * stride 2 after the first, second and fifth; fully connected 9216 to 4096, 4096 and 1000, each with batch norm, and
 * dropout of 0.5 after the first two unless the method has it otherwise. The last batch norm is over the classes.
 * 62,388,912 parameters; 62,405,024 where the method puts batch norm before its layers.
 *
 * In preset "redbit" 227 pixels without padding, in "paper" 224 with a padding of 2 in the first convolution, as
 * torchvision has it: the maps are the same. The last map, 6x6 then, is flattened as it is for images of other sizes too:
 * the first fully connected layer has as many inputs as there are.
 *
 * @param widths narrower ones are for tests.
 */
export function alexnet(preset: Preset, { channels, features }: Widths = full): Network {
  return inPreset(
    preset,
    network("alexnet", imageNet(preset), (net, images) => {
      if (Math.min(images.shape[1], images.shape[2]) < least[preset]) {
        throw new UserError(`it takes ${least[preset]}x${least[preset]} pixels at least`);
      }
      const epsilon = 1e-4;
      const norm = (i: number) => ({ name: `bn${i}`, epsilon });
      const convolutions = [
        { kernel: 11, stride: 4, padding: preset === "paper" ? 2 : 0, pool },
        { kernel: 5, padding: 2, pool },
        { kernel: 3, padding: 1 },
        { kernel: 3, padding: 1 },
        { kernel: 3, padding: 1, pool },
      ];
      let x = images;
      convolutions.forEach((options, i) => {
        x = net.block(`conv${i + 1}`, x, { ...options, channels: channels[i], norm: norm(i + 1) });
      });
      const rate = net.dropoutRate ?? 0.5;
      x = net.dropout(net.block("fc1", net.flatten(x), { features, norm: norm(6) }), rate);
      x = net.dropout(net.block("fc2", x, { features, norm: norm(7) }), rate);
      const last = { name: "bn8", epsilon: 1e-3 };
      return net.block("fc3", x, { features: net.classes, norm: last, activation: false });
    }),
  );
}
