/** Colours of pixels as bytes. */

/** Red, green and blue of cyan, magenta, yellow and black, as Pillow converts them: without profiles. */
export function withoutInk(inks: Uint8Array): Uint8Array {
  const colours = new Uint8Array((inks.length / 4) * 3);
  for (let i = 0, o = 0; i < inks.length; i += 4) {
    const light = 255 - inks[i + 3];
    for (let c = 0; c < 3; c++) {
      const product = inks[i + c] * light + 128;
      colours[o++] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return colours;
}

/** Grey of red, green and blue by ITU-R BT.601, rounded as Pillow does it: grey pixels stay what they are. */
export function greyOf(pixels: Uint8Array): Uint8Array {
  const grey = new Uint8Array(pixels.length / 3);
  for (let i = 0, p = 0; i < grey.length; i++, p += 3) {
    grey[i] = (19595 * pixels[p] + 38470 * pixels[p + 1] + 7471 * pixels[p + 2] + 32768) >> 16;
  }
  return grey;
}
