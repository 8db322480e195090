//! What a chart of the report is: a question, the SQL of its views, how they are drawn, and the sentence that answers it.

use serde::Serialize;

use super::cells::Rows;
use super::charts;
use super::period::Period;

/// All charts, in the order of the page.
pub(super) static QUESTIONS: &[&Question] = &[
    &charts::traffic::TRAFFIC,
    &charts::traffic::TALKERS,
    &charts::names::TOP_LEVEL,
    &charts::names::DOMAINS,
    &charts::names::AGENTS,
    &charts::strength::CIPHERS,
    &charts::strength::CERTIFICATES,
    &charts::strength::KERBEROS,
    &charts::files::FILES,
    &charts::signals::SIGNALS,
    &charts::sensor::LOSS,
];

pub(super) struct Question {
    /// Names the chart in links; lower case.
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    pub(super) question: &'static str,
    /// What a reader must know to read it right.
    pub(super) remark: Option<&'static str>,
    /// Over the whole page.
    pub(super) wide: bool,
    pub(super) views: &'static [View],
    /// Said of the rows of the views; not called where the first view could not be asked.
    pub(super) answer: fn(&[Rows], Period) -> Said,
}

/// A sentence that answers, and how it should be taken.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Said {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    Bad,
    Watch,
    Good,
    Plain,
}

/// One picture with one statement of SQL.
pub(super) struct View {
    pub(super) title: Option<&'static str>,
    pub(super) form: Form,
    /// With `{period}`, `{bin}` and `{suspicious}` for what is only known when it is asked. Bounded.
    pub(super) sql: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) measures: &'static [Measure],
    /// The column that names a mark, or a series over time.
    pub(super) label: Option<&'static str>,
    /// What a mark is called whose name is null.
    pub(super) unnamed: &'static str,
    /// The column of a class of strength or severity.
    pub(super) grade: Option<&'static str>,
    /// The column that marks what to look at, and what the mark means.
    pub(super) flag: Option<(&'static str, &'static str)>,
    /// The column with the start of a bin.
    pub(super) time: Option<&'static str>,
    pub(super) marks: usize,
    /// Said where there are no rows.
    pub(super) empty: &'static str,
}

impl View {
    /// What most views are like.
    pub(super) const BARS: Self = Self {
        title: None,
        form: Form::Bars,
        sql: "",
        columns: &[],
        measures: &[],
        label: None,
        unnamed: "not known",
        grade: None,
        flag: None,
        time: None,
        marks: 12,
        empty: "Nothing of the kind was seen in this period.",
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Bars over time, stacked by the label or by the columns of a measure.
    Stacked,
    Treemap,
    Bars,
    /// Circles over time, in lanes by grade.
    Lanes,
    /// The first rows as they are.
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: Kind,
}

/// How values of a column are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Text,
    Count,
    Bytes,
    Share,
    Time,
    Yes,
}

/// What the size of a mark stands for: a column, or several side by side.
pub(super) struct Measure {
    pub(super) label: &'static str,
    pub(super) columns: &'static [&'static str],
}

pub(super) const fn text(name: &'static str, label: &'static str) -> Column {
    Column { name, label, kind: Kind::Text }
}

pub(super) const fn count(name: &'static str, label: &'static str) -> Column {
    Column { name, label, kind: Kind::Count }
}

pub(super) const fn bytes(name: &'static str, label: &'static str) -> Column {
    Column { name, label, kind: Kind::Bytes }
}

pub(super) const fn share(name: &'static str, label: &'static str) -> Column {
    Column { name, label, kind: Kind::Share }
}

pub(super) const fn time(name: &'static str, label: &'static str) -> Column {
    Column { name, label, kind: Kind::Time }
}

pub(super) const fn yes(name: &'static str, label: &'static str) -> Column {
    Column { name, label, kind: Kind::Yes }
}

/// A column that the answer is made from, and that is not shown.
pub(super) const fn hidden(name: &'static str) -> Column {
    Column { name, label: "", kind: Kind::Count }
}
