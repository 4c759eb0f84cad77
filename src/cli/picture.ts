/** Draws small grey images with half blocks: each character is two pixels, one above the other. */
import { isFancy, pc } from "./text.js";

/** Rows of text for pixels 0..255, [height, width]. With colours 24 grey levels, without four shades. */
export function draw(pixels: ArrayLike<number>, height: number, width: number): string[] {
  const rows: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let row = "";
    for (let x = 0; x < width; x++) {
      const top = pixels[y * width + x];
      const bottom = y + 1 < height ? pixels[(y + 1) * width + x] : 0;
      row += isFancy() ? coloured(top, bottom) : shade((top + bottom) / 2);
    }
    rows.push(isFancy() ? `${row}\u001b[0m` : row);
  }
  return rows;
}

/** The 24 grey levels of the 256-colour palette. */
function grey(value: number): number {
  return 232 + Math.round((value / 255) * 23);
}

function coloured(top: number, bottom: number): string {
  return `\u001b[38;5;${grey(top)}m\u001b[48;5;${grey(bottom)}m▀`;
}

function shade(value: number): string {
  return " .:+#"[Math.min(4, Math.floor((value / 256) * 5))];
}

/** Pictures side by side, each with a caption below. */
export function gallery(
  pictures: readonly { rows: readonly string[]; width: number; caption: string; good: boolean }[],
): string[] {
  const lines = pictures[0].rows.map((_, i) => pictures.map(({ rows }) => rows[i]).join("  "));
  const captions = pictures.map(({ width, caption, good }) => {
    const text = caption.padStart(Math.ceil((width + caption.length) / 2)).padEnd(width);
    return good ? pc.green(text) : pc.red(text);
  });
  return [...lines, captions.join("  ")];
}
