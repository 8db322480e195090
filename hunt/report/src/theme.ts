// Light, dark, or as the system has it.
import type { Parent } from "./dom";

const CHOICES: [string, string][] = [["auto", "System"], ["light", "Light"], ["dark", "Dark"]];
const KEY = "spanlake-report-theme";

export function themeSwitch(parent: Parent): void {
  const root = document.documentElement;
  let chosen = "auto";
  try {
    chosen = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // A page that was opened from a disk may have no storage; then nothing is remembered.
  }
  const choice = parent.append("fieldset").attr("class", "choice");
  choice.append("legend").text("Colours");
  const set = (theme: string): void => {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
  };
  for (const [theme, name] of CHOICES) {
    const label = choice.append("label");
    const input = label.append("input").attr("type", "radio").attr("name", "theme").attr("value", theme).property("checked", theme === chosen);
    input.on("change", () => {
      set(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // As above.
      }
    });
    label.append("span").text(name);
  }
  set(chosen);
}
