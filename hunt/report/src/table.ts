// The rows behind a chart, and the question that gave them.
import { select } from "d3-selection";
import { breakable, type Parent } from "./dom";
import type { Cell, View } from "./data";
import { cell, plural } from "./format";

export function behind(parent: Parent, view: View, name: string): void {
  if (view.rows.length > 0) {
    const details = parent.append("details").attr("class", "behind");
    const shown = view.rows.length;
    const of = view.total > shown ? `${plural(shown, "row", "rows")} of ${plural(view.total, "", "").trim()}` : plural(shown, "row", "rows");
    details.append("summary").text(`The rows behind it (${of})`);
    // A table is made when it is opened: a page of twenty would be slow to show otherwise.
    details.on("toggle", function () {
      const node = this as HTMLDetailsElement;
      if (node.open && !node.querySelector("table")) rows(select(node), view, name);
    });
  }
  const details = parent.append("details").attr("class", "behind");
  details.append("summary").text("The question as SQL");
  const pre = details.append("pre").attr("tabindex", "0").attr("role", "region").attr("aria-label", `SQL of ${name}`);
  pre.append("code").text(view.sql);
}

/** More columns than this are not taken in at a glance. */
const GLANCE = 5;

/** The first rows as the picture itself. */
export function glance(parent: Parent, view: View, name: string): void {
  const frame = parent.append("div").attr("class", "glance").attr("tabindex", "0").attr("role", "region").attr("aria-label", name);
  const table = frame.append("table");
  table.append("caption").text(name);
  const head = table.append("thead").append("tr");
  for (const column of view.columns.slice(0, GLANCE)) head.append("th").attr("scope", "col").classed("number", isNumber(column.kind)).append("span").text(column.label);
  const body = table.append("tbody");
  for (const row of view.rows.slice(0, view.marks)) line(body.append("tr"), view, row, GLANCE);
  const left = view.total - view.marks;
  if (left > 0) parent.append("p").attr("class", "more").text(`and ${cell(left, "count")} more`);
}

function line(tr: Parent, view: View, row: Cell[], columns = view.columns.length): void {
  view.columns.slice(0, columns).forEach((column, index) => {
    const value = row[index] ?? null;
    const td = tr.append("td").classed("number", isNumber(column.kind)).classed("null", value === null).classed("time", column.kind === "time");
    const text = value === null && index === view.label ? view.unnamed : cell(value, column.kind);
    if (column.kind === "text") breakable(td.append("bdi"), text);
    else td.append("bdi").text(text);
  });
}

function rows(parent: Parent, view: View, name: string): void {
  const frame = parent.append("div").attr("class", "scroll").attr("tabindex", "0").attr("role", "region").attr("aria-label", `Rows of ${name}`);
  const table = frame.append("table");
  table.append("caption").text(name);
  const head = table.append("thead").append("tr");
  const body = table.append("tbody");
  const order = { column: -1, falling: false };
  view.columns.forEach((column, index) => {
    const th = head.append("th").attr("scope", "col").classed("number", isNumber(column.kind));
    th.append("button").attr("type", "button").text(column.label).on("click", () => {
      // Numbers are asked for the largest first, names for the first.
      order.falling = order.column === index ? !order.falling : isNumber(column.kind);
      order.column = index;
      head.selectAll<HTMLTableCellElement, unknown>("th").attr("aria-sort", (_, at) =>
        at === index ? (order.falling ? "descending" : "ascending") : null);
      fill(sorted(view.rows, index, order.falling));
    });
  });
  const fill = (all: Cell[][]): void => {
    body.selectAll("tr").remove();
    for (const row of all) line(body.append("tr"), view, row);
  };
  fill(view.rows);
  if (view.total > view.rows.length) {
    const left = view.total - view.rows.length;
    parent.append("p").attr("class", "more").text(`${plural(left, "more row is", "more rows are")} not in this page; the SQL without its limit gives all.`);
  }
}

const isNumber = (kind: string): boolean => kind === "count" || kind === "bytes" || kind === "share";

function sorted(all: Cell[][], index: number, falling: boolean): Cell[][] {
  const sign = falling ? -1 : 1;
  return [...all].sort((a, b) => {
    const [x, y] = [a[index] ?? null, b[index] ?? null];
    // What is unknown stands last, whichever way.
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    if (typeof x === "string" && typeof y === "string") return sign * x.localeCompare(y);
    return sign * (Number(x) - Number(y));
  });
}
