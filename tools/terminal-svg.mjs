// Makes a picture of a command's output on a terminal:
//
//   node tools/terminal-svg.mjs docs/start.svg npm start
//
// The command runs under a pseudo-terminal of 90 columns (`script`); colours become text and background.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const [target, ...command] = process.argv.slice(2);
if (command.length === 0) {
  console.error("usage: node tools/terminal-svg.mjs FILE.svg COMMAND...");
  process.exit(2);
}
const columns = 90;
const { NO_COLOR: _, ...environment } = process.env;
const { stdout, status } = spawnSync(
  "script",
  ["-qec", `stty cols ${columns}; ${command.join(" ")}`, "/dev/null"],
  {
    encoding: "utf8",
    env: { ...environment, TERM: "xterm-256color", FORCE_COLOR: "1" },
    maxBuffer: 1 << 26,
  },
);
if (status !== 0) {
  console.error(stdout);
  process.exit(1);
}

const base = ["#1b1f27", "#e06c75", "#7fc77a", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0"];
const colourOf = (n) => {
  if (n < 16) return base[n % 8];
  if (n >= 232) return `#${(8 + 10 * (n - 232)).toString(16).padStart(2, "0").repeat(3)}`;
  const level = (v) => (v === 0 ? 0 : 55 + 40 * v).toString(16).padStart(2, "0");
  return `#${level(Math.floor((n - 16) / 36))}${level(Math.floor((n - 16) / 6) % 6)}${level((n - 16) % 6)}`;
};

/** A line as cells; a carriage return or a cursor move to column 1 starts it anew, as a progress bar does. */
function cellsOf(line) {
  let cells = [];
  let style = {};
  for (const [, codes, moves, character] of line.matchAll(
    /\x1b\[([\d;]*)m|(\x1b\[[\d;?]*[A-Za-z]|\r)|([^\x1b])/gu,
  )) {
    if (character !== undefined) cells.push({ character, ...style });
    else if (moves !== undefined) cells = /^(\r|\x1b\[1?G|\x1b\[0G)$/.test(moves) ? [] : cells;
    else style = styled(style, codes.split(";").map(Number));
  }
  return cells;
}

function styled(style, codes) {
  const next = { ...style };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.keys(next).forEach((key) => delete next[key]);
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code >= 30 && code <= 37) next.colour = base[code - 30];
    else if (code === 39) next.colour = undefined;
    else if (code === 49) next.background = undefined;
    else if (code === 38 || code === 48) {
      next[code === 38 ? "colour" : "background"] = colourOf(codes[i + 2]);
      i += 2;
    }
  }
  return next;
}

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const [width, height] = [8.4, 17];
const lines = stdout.split("\n").map((line) => cellsOf(line.replace(/\r$/, "")));
while (lines.at(-1)?.length === 0) lines.pop();
const shapes = lines.flatMap((cells, row) => {
  const y = 14 + row * height;
  const shapesOfRow = [];
  for (let i = 0; i < cells.length;) {
    const { character, ...style } = cells[i];
    let end = i + 1;
    const same = (cell) =>
      cell.colour === style.colour &&
      cell.bold === style.bold &&
      cell.dim === style.dim &&
      cell.background === style.background;
    while (end < cells.length && same(cells[end])) end++;
    const x = 14 + i * width;
    const fill = style.colour ?? "#d7dae0";
    const span = (end - i) * width;
    if (style.background) {
      // Half blocks: the upper half has the text colour, the lower one the background.
      shapesOfRow.push(
        `<rect x="${x.toFixed(1)}" y="${y}" width="${(span + 0.3).toFixed(1)}" height="${height / 2}" fill="${character === "▀" ? fill : style.background}"/>`,
        `<rect x="${x.toFixed(1)}" y="${y + height / 2}" width="${(span + 0.3).toFixed(1)}" height="${height / 2}" fill="${style.background}"/>`,
      );
    } else {
      const text = cells
        .slice(i, end)
        .map((cell) => cell.character)
        .join("");
      if (text.trim() !== "") {
        const look = `${style.bold ? ' font-weight="bold"' : ""}${style.dim ? ' opacity="0.6"' : ""}`;
        shapesOfRow.push(
          `<text x="${x.toFixed(1)}" y="${y + 12.5}" fill="${fill}" textLength="${span.toFixed(1)}" xml:space="preserve"${look}>${escape(text)}</text>`,
        );
      }
    }
    i = end;
  }
  return shapesOfRow;
});
const size = [28 + columns * width, 28 + lines.length * height];
writeFileSync(
  target,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size[0].toFixed(0)} ${size[1]}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13.5">
<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>
${shapes.join("\n")}
</svg>
`,
);
