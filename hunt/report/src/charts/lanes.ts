// Circles over time in lanes of severity, the worst on top.
import { max } from "d3-array";
import { axisBottom } from "d3-axis";
import { scaleSqrt, scaleUtc } from "d3-scale";
import { letter, type Parent } from "../dom";
import type { Cell, Measure, View } from "../data";
import * as format from "../format";
import { gradeName, SEVERITIES } from "../grades";
import { reachable, type Told } from "../marks";
import { timeTick, tuckedIn } from "./axis";
import { after, domain } from "./stacked";

export function lanes(parent: Parent, view: View, measure: Measure, name: string, width: number): void {
  const [timeAt, gradeAt, column] = [view.time ?? 0, view.grade ?? 1, measure.columns[0] ?? 2];
  // What is none of the severities there are has one lane for all.
  const laneOf = (row: Cell[]): string => (SEVERITIES.includes(String(row[gradeAt])) ? String(row[gradeAt]) : "other");
  const bins = new Map<string, { time: number; grade: string; count: number }>();
  for (const row of view.rows) {
    const [time, grade] = [Number(row[timeAt]), laneOf(row)];
    const bin = bins.get(`${grade} ${time}`) ?? { time, grade, count: 0 };
    bin.count += Number(row[column] ?? 0);
    bins.set(`${grade} ${time}`, bin);
  }
  const all = [...bins.values()].sort((a, b) => a.time - b.time);
  const names = [...SEVERITIES, ...(all.some((bin) => bin.grade === "other") ? ["other"] : [])];
  const em = letter();
  const lane = 2.9 * em;
  const height = names.length * lane + 2.2 * em;
  const left = 4.6 * em;
  const x = scaleUtc(domain(all.map((bin) => bin.time), view.step), [left, width - 24]);
  const radius = scaleSqrt([0, max(all, (bin) => bin.count) ?? 1], [0, lane / 2 - 3]);

  const svg = parent.append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
  svg.attr("role", "group").attr("aria-label", name);
  names.forEach((one, index) => {
    const y = index * lane + lane / 2;
    svg.append("line").attr("class", "lane").attr("x1", left).attr("x2", width - 8).attr("y1", y).attr("y2", y);
    svg.append("text").attr("class", "lane-name").attr("x", 0).attr("y", y).attr("dy", "0.35em").text(gradeName(one));
  });
  const axis = svg.append("g").attr("class", "axis").attr("transform", `translate(0,${names.length * lane + 4})`).attr("aria-hidden", "true")
    .call(axisBottom<Date>(x).ticks(Math.max(2, Math.floor(width / (7 * em)))).tickSizeOuter(0).tickFormat(timeTick(x)));
  tuckedIn(axis, left - 8, width);

  const marks: SVGGElement[] = [];
  const told: Told[] = [];
  for (const { time, grade, count } of all) {
    const middle = (x(time) + x(after(time, view.step))) / 2;
    const r = Math.max(4, radius(count));
    const mark = svg.append("g").attr("class", "dot").attr("transform", `translate(${middle},${names.indexOf(grade) * lane + lane / 2})`);
    mark.append("circle").attr("class", `fill g-${grade}`).attr("r", r);
    if (r > (0.4 + 0.25 * String(count).length) * em) mark.append("text").attr("dy", "0.35em").attr("aria-hidden", "true").text(count);
    marks.push(mark.node() as SVGGElement);
    told.push({
      head: `${gradeName(grade)}, ${format.bin(time, view.step)}`,
      lines: [[measure.label, format.cell(count, "count")]],
    });
  }
  reachable(marks, (index) => told[index] as Told);
  parent.append("p").attr("class", "quiet axis-note").text(`area: ${measure.label.toLowerCase()}; each circle is ${format.span(view.step)}, in UTC`);
}
