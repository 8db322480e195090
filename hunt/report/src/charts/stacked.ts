// Bars over time, one a bin, stacked by series.
import { max, sum } from "d3-array";
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleUtc } from "d3-scale";
import { letter, type Parent } from "../dom";
import { utcMonth, utcYear } from "d3-time";
import type { Measure, View } from "../data";
import * as format from "../format";
import { reachable, type Told } from "../marks";
import { timeTick, tuckedIn } from "./axis";

/** The first moment after a bin. */
export function after(start: number, step: View["step"]): number {
  const date = new Date(start);
  if (step === "year") return utcYear.offset(date, 1).getTime();
  if (step === "quarter") return utcMonth.offset(date, 3).getTime();
  if (step === "month") return utcMonth.offset(date, 1).getTime();
  return start + (step ?? 1) * 1000;
}

/** From the first bin to the last, and never so few that one bar fills the chart. */
export function domain(times: number[], step: View["step"]): [number, number] {
  const first = Math.min(...times);
  const last = after(Math.max(...times), step);
  const bin = after(first, step) - first;
  const lacking = Math.max(0, 8 - (last - first) / bin);
  return [first - Math.floor(lacking / 2) * bin, last + Math.ceil(lacking / 2) * bin];
}

interface Bin {
  time: number;
  values: number[];
}

export function stacked(parent: Parent, view: View, measure: Measure, name: string, width: number): void {
  const timeAt = view.time ?? 0;
  const kind = view.columns[measure.columns[0] ?? 0]?.kind ?? "count";

  // A series is a value of the label's column, or, without one, each column of the measure.
  const series: string[] = [];
  const bins = new Map<number, Bin>();
  const totals = new Map<string, number>();
  const put = (time: number, of: string, value: number): void => {
    const bin = bins.get(time) ?? { time, values: [] };
    bins.set(time, bin);
    let at = series.indexOf(of);
    if (at < 0) at = series.push(of) - 1;
    bin.values[at] = (bin.values[at] ?? 0) + value;
    totals.set(of, (totals.get(of) ?? 0) + value);
  };
  for (const row of view.rows) {
    for (const column of measure.columns) {
      const of = view.label === null ? (view.columns[column]?.label ?? "") : String(row[view.label] ?? view.unnamed);
      put(Number(row[timeAt]), of, Number(row[column] ?? 0));
    }
  }
  // The largest at the foot, where lengths can be compared; what is left over on top.
  const order = series.map((_, index) => index).sort((a, b) => rank(b) - rank(a));
  function rank(index: number): number {
    const of = series[index] ?? "";
    return of === view.unnamed || of === "other" ? -1 : (totals.get(of) ?? 0);
  }
  const all = [...bins.values()].sort((a, b) => a.time - b.time);
  const colour = (place: number): string => (rank(order[place] ?? 0) < 0 ? "rest" : `c${place % 8}`);

  if (order.length > 1 || view.label !== null) {
    const legend = parent.append("ul").attr("class", "legend");
    order.forEach((index, place) => {
      const item = legend.append("li");
      item.append("span").attr("class", `swatch ${colour(place)}`);
      item.append("bdi").text(series[index] ?? "");
      item.append("span").attr("class", "quiet").text(view.label === null ? "" : format.cell(totals.get(series[index] ?? "") ?? 0, kind));
    });
  }

  const em = letter();
  const height = width < 500 ? 220 : Math.min(22 * em, Math.round(width * 0.28) + 60);
  const foot = height - 1.75 * em;
  const top = max(all, (bin) => sum(bin.values)) || (kind === "share" ? 0.01 : 1);
  const y = scaleLinear([0, top], [foot, 8]).nice(4);
  const labels = y.ticks(4).map((value) => format.tick(value, kind));
  const left = 12 + 0.46 * em * (max(labels, (label) => label.length) ?? 4);
  const x = scaleUtc(domain(all.map((bin) => bin.time), view.step), [left, width - 8]);

  const svg = parent.append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
  svg.attr("role", "group").attr("aria-label", name);
  svg.append("g").attr("class", "grid").attr("transform", `translate(${left},0)`).attr("aria-hidden", "true")
    .call(axisLeft(y).ticks(4).tickSize(-(width - 8 - left)).tickFormat((value) => format.tick(Number(value), kind)));
  const axis = svg.append("g").attr("class", "axis").attr("transform", `translate(0,${foot})`).attr("aria-hidden", "true")
    .call(axisBottom<Date>(x).ticks(Math.max(2, Math.floor(width / (7 * em)))).tickSizeOuter(0).tickFormat(timeTick(x)));
  tuckedIn(axis, left - 8, width);

  const marks: SVGGElement[] = [];
  const told: Told[] = [];
  for (const bin of all) {
    const from = x(bin.time);
    const to = x(after(bin.time, view.step));
    const gap = to - from > 5 ? 1 : 0;
    const mark = svg.append("g").attr("class", "bin");
    mark.append("rect").attr("class", "touch").attr("x", from).attr("y", 8).attr("width", Math.max(1, to - from)).attr("height", foot - 8);
    let below = 0;
    order.forEach((index, place) => {
      const value = bin.values[index] ?? 0;
      if (value <= 0) return;
      const low = y(below);
      below += value;
      // What is there is seen, however little it is.
      const tall = Math.max(low - y(below), order.length === 1 ? 1.5 : 0.5);
      mark.append("rect").attr("class", `fill ${colour(place)}`).attr("x", from + gap / 2).attr("y", low - tall)
        .attr("width", Math.max(1, to - from - gap)).attr("height", tall);
    });
    marks.push(mark.node() as SVGGElement);
    const lines = order.filter((index) => (bin.values[index] ?? 0) > 0)
      .map((index): [string, string] => [series[index] ?? "", format.cell(bin.values[index] ?? 0, kind)]);
    if (lines.length !== 1) lines.push(["together", format.cell(sum(bin.values), kind)]);
    told.push({ head: format.bin(bin.time, view.step), lines });
  }
  if (sum(totals.values()) === 0) {
    svg.append("text").attr("class", "nothing").attr("x", (left + width) / 2).attr("y", foot / 2).text("none in the whole period");
  }
  reachable(marks, (index) => told[index] as Told);
  parent.append("p").attr("class", "quiet axis-note").text(`${measure.label}; each bar is ${format.span(view.step)}, in UTC`);
}
