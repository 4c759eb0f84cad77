/** Light and dark: as the system says, or as chosen here. */
import { useEffect, useState } from "preact/hooks";

export type Theme = "system" | "light" | "dark";

const key = "fewbit-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

let theme: Theme = stored();
show();
system.addEventListener("change", tell);

function stored(): Theme {
  try {
    const value = localStorage.getItem(key);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system"; // storage is refused
  }
}

function show(): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function tell(): void {
  for (const listener of listeners) listener();
}

function choose(chosen: Theme): void {
  theme = chosen;
  try {
    localStorage.setItem(key, chosen);
  } catch {
    // it holds until the page is closed
  }
  show();
  tell();
}

const isDark = (): boolean => (theme === "system" ? system.matches : theme === "dark");

export function useTheme(): { theme: Theme; dark: boolean; choose: (theme: Theme) => void } {
  const [, again] = useState({});
  useEffect(() => {
    const listener = (): void => again({});
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return { theme, dark: isDark(), choose };
}

const light = ["#1f63cf", "#c2410c", "#0a7a55", "#a3258a", "#7a5c00", "#0b6e8a", "#6a41c0", "#b3204f"];
const dark = ["#7db0ff", "#ff9c63", "#4fd3a2", "#f191da", "#e2c14f", "#62cbe6", "#b9a2ff", "#ff92ad"];
const dashes: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

/** Eight colours, then the same dashed, so that 32 lines can be told apart. */
export function lineStyle(index: number, isDark: boolean): { colour: string; dash: number[] } {
  const colours = isDark ? dark : light;
  return {
    colour: colours[index % colours.length],
    dash: [...dashes[Math.floor(index / colours.length) % dashes.length]],
  };
}
