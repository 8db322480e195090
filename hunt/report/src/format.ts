// Numbers, times and shares as people read them.
import { utcFormat } from "d3-time-format";
import type { Cell, Kind } from "./data";

const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function bytes(value: number): string {
  let unit = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${short(scaled)} ${UNITS[unit]}`;
}

/** Three digits that count. */
function short(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 9.995 ? value.toFixed(2).replace(/\.?0+$/, "") : value.toFixed(Math.abs(value) < 99.95 ? 1 : 0);
}

export function share(value: number): string {
  const percent = value * 100;
  if (percent === 0) return "0%";
  if (percent < 0.01) return "under 0.01%";
  return `${short(percent)}%`;
}

const second = utcFormat("%-d %b %Y, %H:%M:%S");
const minute = utcFormat("%-d %b %Y, %H:%M");
const day = utcFormat("%-d %b %Y");
const month = utcFormat("%B %Y");
const year = utcFormat("%Y");

export const time = (value: number): string => second(new Date(value));
export const moment = (value: number): string => minute(new Date(value));

/** A bin's start, as exact as the bin is long. */
export function bin(value: number, step: number | string | null): string {
  const date = new Date(value);
  if (step === "year") return year(date);
  if (step === "quarter") return `quarter from ${month(date)}`;
  if (step === "month") return month(date);
  if (typeof step === "number" && step >= 86_400) return step > 86_400 ? `week of ${day(date)}` : day(date);
  if (typeof step === "number" && step >= 60) return minute(date);
  return second(date);
}

/** How long a bin is, in words. */
export function span(step: number | string | null): string {
  if (step === null) return "";
  if (typeof step === "string") return `one ${step}`;
  const units: [number, string][] = [[604_800, "week"], [86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]];
  for (const [size, name] of units) {
    if (step % size === 0) return step === size ? `one ${name}` : `${step / size} ${name}s`;
  }
  return `${step} seconds`;
}

export function cell(value: Cell, kind: Kind): string {
  if (value === null) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  switch (kind) {
    case "bytes":
      return bytes(value);
    case "share":
      return share(value);
    case "time":
      return time(value);
    case "yes":
      return value ? "yes" : "no";
    default:
      return grouped.format(value);
  }
}

/** For an axis: short, and without a unit where the number needs none. */
export function tick(value: number, kind: Kind): string {
  if (kind === "bytes") return bytes(value);
  if (kind === "share") return share(value);
  if (value >= 1e9) return `${short(value / 1e9)} bn`;
  if (value >= 1e6) return `${short(value / 1e6)} m`;
  if (value >= 1e4) return `${short(value / 1e3)} k`;
  return grouped.format(value);
}

export function plural(count: number, one: string, many: string): string {
  return `${grouped.format(count)} ${count === 1 ? one : many}`;
}

/** A figure that stands large: no longer than its tile. */
export function large(value: number, kind: Kind): string {
  if (kind === "count" && value >= 1e9) return `${short(value / 1e9)} billion`;
  if (kind === "count" && value >= 1e6) return `${short(value / 1e6)} million`;
  return cell(value, kind);
}
