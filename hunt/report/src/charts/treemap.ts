// Areas by share, those to look at hatched and marked.
import { hierarchy, treemap as layout } from "d3-hierarchy";
import { letter, type Parent } from "../dom";
import type { Cell, Measure, View } from "../data";
import { cell } from "../format";
import { reachable, type Told } from "../marks";

interface Leaf {
  name: string;
  value: number;
  flagged: boolean;
  row: Cell[] | null;
}

export function treemap(parent: Parent, view: View, measure: Measure, name: string, width: number): void {
  const column = measure.columns[0] ?? 0;
  const kind = view.columns[column]?.kind ?? "count";
  const leaf = (row: Cell[]): Leaf => ({
    name: view.label === null || row[view.label] === null ? view.unnamed : String(row[view.label]),
    value: Number(row[column] ?? 0),
    flagged: view.flag !== null && Boolean(row[view.flag]),
    row,
  });
  const leaves = view.rows.map(leaf).filter((one) => one.value > 0).sort((a, b) => b.value - a.value);
  const most = width < 500 ? Math.min(view.marks, 18) : view.marks;
  const shown = leaves.filter((one, index) => index < most || one.flagged);
  const others = leaves.filter((one, index) => index >= most && !one.flagged);
  if (others.length > 0) {
    shown.push({ name: `${others.length} others`, value: others.reduce((all, one) => all + one.value, 0), flagged: false, row: null });
  }
  const total = shown.reduce((all, one) => all + one.value, 0);

  const legend = parent.append("ul").attr("class", "legend");
  if (shown.some((one) => one.flagged)) {
    const item = legend.append("li");
    item.append("span").attr("class", "swatch flagged");
    item.append("span").text(`▲ ${view.flag_means ?? ""}`);
  }
  const item = legend.append("li");
  item.append("span").attr("class", "swatch c0");
  item.append("span").text(`area: ${measure.label.toLowerCase()}`);

  const em = letter();
  const height = width < 500 ? 320 : Math.min(26 * em, Math.round(width * 0.5));
  const svg = parent.append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
  svg.attr("role", "group").attr("aria-label", name);
  const root = layout<Leaf | { children: Leaf[] }>().size([width, height]).paddingInner(2).round(true)(
    hierarchy<Leaf | { children: Leaf[] }>({ children: shown }).sum((one) => ("value" in one ? one.value : 0)));

  const marks: SVGGElement[] = [];
  const told: Told[] = [];
  for (const node of root.leaves()) {
    const one = node.data as Leaf;
    const [wide, tall] = [node.x1 - node.x0, node.y1 - node.y0];
    const mark = svg.append("g").attr("class", one.flagged ? "tile flagged" : "tile").attr("transform", `translate(${node.x0},${node.y0})`);
    mark.append("rect").attr("class", one.row === null ? "fill rest" : "fill c0").attr("width", Math.max(1, wide)).attr("height", Math.max(1, tall));
    if (one.flagged) mark.append("rect").attr("class", "hatch").attr("width", Math.max(1, wide)).attr("height", Math.max(1, tall));
    const text = `${one.flagged ? "▲ " : ""}${one.row === null || view.label === null ? one.name : dotted(one.name)}`;
    fitted(mark, text, "tile-name", 1.3 * em, wide, tall);
    fitted(mark, cell(one.value / total, "share"), "tile-value", 2.4 * em, wide, tall);
    marks.push(mark.node() as SVGGElement);
    told.push({
      head: one.name,
      lines: one.row === null
        ? [[view.columns[column]?.label ?? "", cell(one.value, kind)]]
        : view.columns.flatMap((of, index): [string, string][] => index === view.label ? [] : [[of.label, cell(one.row?.[index] ?? null, of.kind)]]),
    });
  }
  reachable(marks, (index) => told[index] as Told);
}

const dotted = (name: string): string => (/^[a-z0-9-.]+$/.test(name) ? `.${name}` : name);

/** Text in a tile, where there is room for the whole of it. */
function fitted(mark: Parent, text: string, of: string, y: number, wide: number, tall: number): void {
  if (tall < y + 6 || wide < 24) return;
  const node = mark.append("text").attr("class", of).attr("x", 8).attr("y", y).attr("aria-hidden", "true").text(text);
  if ((node.node()?.getComputedTextLength() ?? 0) > wide - 14) node.remove();
}
