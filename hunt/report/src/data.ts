// What the program embeds in the page. The Rust side (`hunt/src/report/data.rs`) writes exactly this.

export type Cell = string | number | boolean | null;

/** How a column's values are shown; times are milliseconds since 1970 in UTC. */
export type Kind = "text" | "count" | "bytes" | "share" | "time" | "yes";

export interface Column {
  name: string;
  label: string;
  kind: Kind;
}

/** What a mark's length or area stands for: one column, or several side by side. */
export interface Measure {
  label: string;
  columns: number[];
}

export type Form = "stacked" | "treemap" | "bars" | "lanes" | "table";

export interface View {
  title: string | null;
  form: Form;
  columns: Column[];
  rows: Cell[][];
  /** Of all rows, of which `rows` are the first. */
  total: number;
  sql: string;
  /** Why there is nothing to see, where that is so: no rows, or a table that cannot be read. */
  note: string | null;
  measures: Measure[];
  /** The column that names a mark; for forms over time the one that names its series. */
  label: number | null;
  /** What a mark is called whose name is null. */
  unnamed: string;
  /** The column with a class of strength or severity. */
  grade: number | null;
  /** The column that says which marks to look at. */
  flag: number | null;
  /** What that means, for the legend. */
  flag_means: string | null;
  /** The column with the time of a mark. */
  time: number | null;
  /** How long a bin is: a number of seconds, or a unit of the calendar. */
  step: number | "month" | "quarter" | "year" | null;
  /** How many marks to draw at most. */
  marks: number;
}

export type Tone = "good" | "watch" | "bad" | "plain";

export interface Chart {
  id: string;
  number: number;
  heading: string;
  question: string;
  answer: string;
  tone: Tone;
  remark: string | null;
  wide: boolean;
  views: View[];
}

export interface Figure {
  label: string;
  value: number;
  kind: Kind;
  before: number | null;
}

export interface Report {
  title: string;
  lake: string;
  from: number;
  to: number;
  /** The period that `before` of the figures is about. */
  before: { from: number; to: number } | null;
  made: number;
  version: string;
  summary: { text: string; tone: Tone; chart: string | null }[];
  figures: Figure[];
  charts: Chart[];
  /** What could not be read. */
  damaged: string[];
  /** What is not in the period that was found. */
  left_out: string | null;
}
