// Draws the report from the data in the page. Nothing is fetched; whatever came from the wire is set as text.
import { select } from "d3-selection";
import type { Parent } from "./dom";
import { bars } from "./charts/bars";
import { lanes } from "./charts/lanes";
import { stacked } from "./charts/stacked";
import { treemap } from "./charts/treemap";
import type { Chart, Figure, Report, Tone, View } from "./data";
import { cell, large, moment, share } from "./format";
import { hide } from "./marks";
import { behind, glance } from "./table";
import { themeSwitch } from "./theme";

const TONES: Record<Tone, [string, string]> = {
  good: ["✓", "in order"],
  watch: ["●", "to watch"],
  bad: ["▲", "needs attention"],
  plain: ["", ""],
};

const report = JSON.parse(document.getElementById("data")?.textContent ?? "{}") as Report;
const page = select(document.getElementById("page") as HTMLElement);

hatching();
header(page.append("header"));
const main = page.append("main").attr("id", "charts");
opening(main.append("section").attr("class", "opening").attr("aria-label", "Summary"));
/** How much narrower paper is than the window. */
let paper = 1;
const grid = main.append("div").attr("class", "grid");
const drawn = report.charts.map((chart) => draw(grid.append("section"), chart));
footer(page.append("footer"));
watchWidth();

function header(parent: Parent): void {
  const words = parent.append("div");
  words.append("h1").append("bdi").text(report.title);
  const period = words.append("p").attr("class", "period");
  period.append("span").text(`${moment(report.from)} to ${moment(report.to)} UTC`);
  period.append("span").text("of the lake ").append("bdi").text(report.lake);
  period.append("span").text(`made ${moment(report.made)} UTC`);
  themeSwitch(parent.append("div").attr("class", "tools"));
}

function opening(parent: Parent): void {
  if (report.damaged.length > 0) {
    const box = parent.append("div").attr("class", "damaged").attr("role", "note");
    box.append("p").text("Some of the lake could not be read; the figures are of the rest:");
    const list = box.append("ul");
    for (const text of report.damaged) list.append("li").append("bdi").text(text);
  }
  const list = parent.append("ul").attr("class", "summary");
  for (const line of report.summary) {
    const item = list.append("li").attr("class", `tone-${line.tone}`);
    item.append("span").attr("class", "sign").attr("aria-hidden", "true").text(TONES[line.tone][0] || "•");
    const text = item.append("span");
    text.append("bdi").text(line.text);
    const chart = report.charts.find((one) => one.id === line.chart);
    if (chart) text.append("a").attr("href", `#${chart.id}`).attr("aria-label", `Chart ${chart.number}: ${chart.question}`).text(`chart ${chart.number}`);
  }
  const tiles = parent.append("dl").attr("class", "figures");
  for (const figure of report.figures) {
    const tile = tiles.append("div");
    tile.append("dt").text(figure.label);
    tile.append("dd").attr("class", "big").text(large(figure.value, figure.kind));
    const text = change(figure);
    if (text) tile.append("dd").attr("class", "change").text(text);
  }
  if (report.before) {
    parent.append("p").attr("class", "quiet").text(`Changes are against the period before, ${moment(report.before.from)} to ${moment(report.before.to)} UTC.`);
  }
  if (report.left_out) parent.append("p").attr("class", "quiet").text(report.left_out);
}

function change(figure: Figure): string {
  if (figure.before === null) return "";
  if (figure.before === figure.value) return "as before";
  if (figure.before === 0) return "none before";
  if (figure.kind === "share") return `${share(figure.before)} before`;
  const ratio = figure.value / figure.before - 1;
  if (ratio > 9) return `↑ ${cell(Math.round(ratio + 1), "count")} times as much`;
  return `${ratio > 0 ? "↑" : "↓"} ${share(Math.abs(ratio))}`;
}

/** The slanted lines of marks to look at, for all charts. */
function hatching(): void {
  const pattern = page.append("svg").attr("width", 0).attr("height", 0).attr("aria-hidden", "true").append("defs").append("pattern");
  pattern.attr("id", "hatch").attr("width", 8).attr("height", 8).attr("patternUnits", "userSpaceOnUse").attr("patternTransform", "rotate(45)");
  pattern.append("line").attr("class", "hatch-line").attr("y2", 8);
}

/** A chart's frame; gives what draws its pictures at the width that there is. */
function draw(parent: Parent, chart: Chart): () => void {
  parent.attr("class", `chart${chart.wide ? " wide" : ""}`).attr("id", chart.id).attr("aria-labelledby", `${chart.id}-heading`);
  const head = parent.append("div").attr("class", "chart-head");
  head.append("p").attr("class", "number").attr("aria-hidden", "true").text(String(chart.number));
  const words = head.append("div");
  words.append("h2").attr("id", `${chart.id}-heading`).text(`${chart.heading}`);
  words.append("p").attr("class", "question").text(chart.question);
  const answer = parent.append("p").attr("class", `answer tone-${chart.tone}`);
  const [sign, meaning] = TONES[chart.tone];
  if (sign) answer.append("span").attr("class", "badge").text(`${sign} ${meaning}`);
  answer.append("bdi").text(chart.answer);
  const views = parent.append("div").attr("class", "views").classed("many", chart.views.length > 1);
  const redraws = chart.views.map((view, index) => frame(views.append("div").attr("class", "view"), chart, view, index));
  if (chart.remark) parent.append("p").attr("class", "quiet").text(chart.remark);
  return () => redraws.forEach((redraw) => redraw());
}

function frame(parent: Parent, chart: Chart, view: View, index: number): () => void {
  const name = view.title ? `${chart.heading}: ${view.title}` : chart.heading;
  if (view.title) parent.append("h3").text(view.title);
  if (view.note) parent.append("p").attr("class", "note").append("bdi").text(view.note);
  let chosen = 0;
  let picture: Parent | null = null;
  const redraw = (): void => {
    if (!picture) return;
    hide();
    picture.selectAll("*").remove();
    const width = Math.floor((picture.node() as HTMLElement).clientWidth * paper);
    const measure = view.measures[chosen];
    if (!measure || width < 50) return;
    if (view.form === "stacked") stacked(picture, view, measure, name, width);
    else if (view.form === "lanes") lanes(picture, view, measure, name, width);
    else if (view.form === "treemap") treemap(picture, view, measure, name, width);
    else if (view.form === "bars") bars(picture, view, measure, name);
  };
  if (view.rows.length > 0 && view.form === "table") glance(parent, view, name);
  if (view.rows.length > 0 && view.form !== "table") {
    if (view.measures.length > 1) {
      const choice = parent.append("fieldset").attr("class", "choice");
      choice.append("legend").text("Measured by");
      view.measures.forEach((measure, at) => {
        const label = choice.append("label");
        const input = label.append("input").attr("type", "radio").attr("name", `${chart.id}-${index}`).property("checked", at === 0);
        input.on("change", () => {
          chosen = at;
          redraw();
        });
        label.append("span").text(measure.label);
      });
    }
    picture = parent.append("figure").attr("aria-label", name);
  }
  behind(parent.append("div").attr("class", "behinds"), view, name);
  return redraw;
}

function footer(parent: Parent): void {
  parent.append("p").text(`Made by Spanlake ${report.version}. All times are UTC. This page holds its data and its script, and asks nothing of the network.`);
}

/** Charts are drawn anew when there is more or less room, also on paper. */
function watchWidth(): void {
  let width = -1;
  const all = (): void => drawn.forEach((redraw) => redraw());
  new ResizeObserver(() => {
    const now = (grid.node() as HTMLElement).clientWidth;
    if (now === width) return;
    width = now;
    all();
  }).observe(grid.node() as HTMLElement);
  window.addEventListener("beforeprint", () => {
    paper = Math.min(1, 690 / width);
    all();
  });
  window.addEventListener("afterprint", () => {
    paper = 1;
    all();
  });
}
