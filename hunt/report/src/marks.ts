// Marks of a chart that can be reached by pointer, finger and keyboard, and the box that tells about one.
import { select } from "d3-selection";

export interface Told {
  head: string;
  lines: [string, string][];
}

/** The mark that the box tells about. */
let shown: Element | null = null;

const box = select(document.body).append("div").attr("class", "tip").attr("aria-hidden", "true");

function show(told: Told, mark: Element): void {
  box.selectAll("*").remove();
  box.append("p").attr("class", "tip-head").append("bdi").text(told.head);
  const list = box.append("dl");
  for (const [name, value] of told.lines) {
    list.append("dt").append("bdi").text(name);
    list.append("dd").append("bdi").text(value);
  }
  box.classed("on", true);
  shown = mark;
  place(mark);
}

/** Above the mark, or below it where there is no room. */
function place(mark: Element): void {
  const at = mark.getBoundingClientRect();
  const node = box.node();
  if (!node) return;
  const size = node.getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  const left = Math.max(8, Math.min(at.left + at.width / 2 - size.width / 2, room - size.width - 8));
  const above = at.top - size.height - 8;
  const below = Math.min(at.bottom + 8, window.innerHeight - size.height - 8);
  node.style.left = `${left}px`;
  node.style.top = `${above >= 8 ? above : Math.max(8, below)}px`;
}

export function hide(): void {
  shown = null;
  box.classed("on", false);
}

/** One line of words for those who hear the page. */
function spoken(told: Told): string {
  return `${told.head}: ${told.lines.map(([name, value]) => (name ? `${name} ${value}` : value)).join(", ")}`;
}

/**
 * Makes the elements one stop of the Tab key; arrows, Home and End go from one to the next, Escape hides the box.
 * A chart of ninety bars must not cost ninety strokes to get past.
 */
export function reachable<E extends Element>(marks: E[], tell: (index: number) => Told): void {
  marks.forEach((mark, index) => {
    const told = tell(index);
    mark.setAttribute("tabindex", index === 0 ? "0" : "-1");
    mark.setAttribute("role", mark instanceof HTMLLIElement ? "listitem" : "img");
    mark.setAttribute("aria-label", spoken(told));
    mark.addEventListener("pointerenter", () => show(told, mark));
    mark.addEventListener("pointerleave", hide);
    mark.addEventListener("focus", () => show(told, mark));
    mark.addEventListener("blur", hide);
    mark.addEventListener("keydown", (event) => {
      const key = (event as KeyboardEvent).key;
      const to = next(key, index, marks.length);
      if (key === "Escape") hide();
      if (to === null) return;
      event.preventDefault();
      mark.setAttribute("tabindex", "-1");
      const other = marks[to] as unknown as HTMLElement;
      other.setAttribute("tabindex", "0");
      other.focus();
    });
  });
}

function next(key: string, index: number, count: number): number | null {
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return Math.min(index + 1, count - 1);
    case "ArrowLeft":
    case "ArrowUp":
      return Math.max(index - 1, 0);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

// A page scrolls to what is focused, and the box goes with it.
window.addEventListener("scroll", () => shown && place(shown), { passive: true });
