// Bars with names, the longest first. They are HTML, so that a long name wraps and is never cut by a margin.
import { max, sum } from "d3-array";
import type { Parent } from "../dom";
import type { Cell, Measure, View } from "../data";
import { breakable } from "../dom";
import { cell } from "../format";
import { reachable, type Told } from "../marks";
import { gradeName, gradeOrder } from "../grades";

export function bars(parent: Parent, view: View, measure: Measure, name: string): void {
  const rows = view.rows.slice(0, view.marks);
  const value = (row: Cell[], column: number): number => Number(row[column] ?? 0);
  const whole = (row: Cell[]): number => sum(measure.columns, (column) => value(row, column));
  const most = max(rows, whole) || 1;
  const graded = view.grade;

  if (graded !== null) strip(parent, view, measure, graded);
  if (measure.columns.length > 1) {
    const legend = parent.append("ul").attr("class", "legend");
    measure.columns.forEach((column, index) => {
      const item = legend.append("li");
      item.append("span").attr("class", `swatch c${index}`);
      item.append("span").text(view.columns[column]?.label ?? "");
    });
  }
  if (view.flag !== null && rows.some((row) => row[view.flag as number])) {
    const item = parent.append("ul").attr("class", "legend").append("li");
    item.append("span").attr("class", "swatch flagged");
    item.append("span").text(`▲ ${view.flag_means ?? ""}`);
  }

  const list = parent.append("ol").attr("class", "bars").attr("aria-label", name);
  const items: HTMLLIElement[] = [];
  const told: Told[] = [];
  for (const row of rows) {
    const label = view.label === null ? null : (row[view.label] ?? null);
    const text = label === null ? view.unnamed : String(label);
    const flagged = view.flag !== null && Boolean(row[view.flag]);
    const item = list.append("li").classed("flagged", flagged);
    const words = item.append("span").attr("class", "label");
    if (flagged) words.append("span").attr("class", "mark").attr("aria-hidden", "true").text("▲ ");
    breakable(words.append("bdi").classed("null", label === null), text);
    if (graded !== null) words.append("span").text(" ");
    if (graded !== null) words.append("span").attr("class", `grade g-${row[graded]}`).text(gradeName(row[graded] ?? null));
    const track = item.append("span").attr("class", "track").attr("aria-hidden", "true");
    measure.columns.forEach((column, index) => {
      const fill = track.append("span").attr("class", graded === null ? `fill c${index}` : `fill g-${row[graded]}`);
      fill.style("width", `${(100 * value(row, column)) / most}%`);
    });
    const kind = view.columns[measure.columns[0] ?? 0]?.kind ?? "count";
    item.append("span").attr("class", "value").text(cell(whole(row), kind));
    items.push(item.node() as HTMLLIElement);
    told.push({
      head: text,
      lines: view.columns.flatMap((column, index): [string, string][] =>
        index === view.label ? [] : [[column.label, cell(row[index] ?? null, column.kind)]]),
    });
  }
  reachable(items, (index) => told[index] as Told);
  const left = view.total - rows.length;
  if (left > 0) parent.append("p").attr("class", "more").text(`and ${cell(left, "count")} more`);
}

/** Shares of the grades in one bar, so that the whole is seen before its parts. */
function strip(parent: Parent, view: View, measure: Measure, grade: number): void {
  const sums = new Map<string, number>();
  for (const row of view.rows) {
    const of = String(row[grade]);
    sums.set(of, (sums.get(of) ?? 0) + sum(measure.columns, (column) => Number(row[column] ?? 0)));
  }
  const all = sum(sums.values());
  if (all === 0) return;
  const parts = [...sums].sort(([a], [b]) => gradeOrder(a) - gradeOrder(b)).filter(([, value]) => value > 0);
  const bar = parent.append("div").attr("class", "strip").attr("aria-hidden", "true");
  for (const [name, value] of parts) bar.append("span").attr("class", `fill g-${name}`).style("flex-grow", String(value));
  const legend = parent.append("ul").attr("class", "legend");
  for (const [name, value] of parts) {
    const item = legend.append("li");
    item.append("span").attr("class", `swatch g-${name}`);
    item.append("span").text(`${gradeName(name)} ${cell(value / all, "share")}`);
  }
}
