/** What the networks for ImageNet have in common. */
import type { Network } from "../nn/index.js";
import type { Preset } from "../quantization/index.js";

/** The side of the images: as networks for ImageNet take them today, and as the framework of the published table cuts them. */
const pixels: Readonly<Record<Preset, number>> = { paper: 224, redbit: 227 };

/** What such a network takes and tells apart. */
export const imageNet = (preset: Preset): Pick<Network, "input" | "classes"> => ({
  input: [pixels[preset], pixels[preset], 3],
  classes: 1000,
});

/** A network that says which preset's form it has. */
export const inPreset = (preset: Preset, network: Network): Network =>
  preset === "redbit" ? { ...network, preset } : network;
