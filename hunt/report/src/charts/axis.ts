// Labels of an axis of time: as exact as its span asks for, on a clock of 24 hours.
import type { ScaleTime } from "d3-scale";
import type { Parent } from "../dom";
import { utcDay, utcMinute, utcMonth, utcYear } from "d3-time";
import { utcFormat } from "d3-time-format";

const [clockSeconds, clock, day, month, year] = ["%H:%M:%S", "%H:%M", "%-d %b", "%b %Y", "%Y"].map((text) => utcFormat(text));

export function timeTick(scale: ScaleTime<number, number>): (date: Date | { valueOf(): number }) => string {
  const [from, to] = scale.domain() as [Date, Date];
  const days = (to.getTime() - from.getTime()) / 86_400_000;
  return (value) => {
    const date = new Date(value.valueOf());
    if (days > 1_100) return (utcYear(date) < date ? month : year)?.(date) ?? "";
    if (days > 85) return (utcMonth(date) < date ? day : month)?.(date) ?? "";
    if (utcDay(date) >= date) return day?.(date) ?? "";
    if (utcMinute(date) < date) return clockSeconds?.(date) ?? "";
    return clock?.(date) ?? "";
  };
}

/** The labels at the ends of an axis end where the chart does; one that has no room beside the one before it is left out. */
export function tuckedIn(axis: Parent, left: number, right: number): void {
  let taken = -Infinity;
  axis.selectAll<SVGTextElement, unknown>(".tick text").each(function () {
    const middle = Number(/translate\(([\d.]+)/.exec((this.parentNode as Element).getAttribute("transform") ?? "")?.[1] ?? 0);
    const wide = this.getComputedTextLength();
    let from = middle - wide / 2;
    if (from < left) {
      this.setAttribute("text-anchor", "start");
      from = middle;
    } else if (from + wide > right) {
      this.setAttribute("text-anchor", "end");
      from = middle - wide;
    }
    if (from < taken + 6) this.remove();
    else taken = from + wide;
  });
}
