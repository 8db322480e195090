//! What is printed of measurements, for people and for programs.

use std::fmt::Write as _;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::against::{Held, Outcome};
use super::child::Outside;
use super::measure::{Measured, ratio};
use super::{Measurements, Stage, StageTable, cores};
use crate::counters::Damage;

/// For people.
pub fn text(measurements: &Measurements) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", head(measurements));
    for table in &measurements.tables {
        let held = if measurements.held { ", as many cores" } else { "" };
        let _ = writeln!(text, "\n{}{held}", of_workers(table.workers));
        text.push_str(&stages(table));
    }
    if measurements.tables.len() > 1 {
        let _ = writeln!(text, "\nspeed-up of the whole");
        for line in scaling(measurements) {
            let Scaling { workers, speed_up, wall, cpu } = line;
            let _ = writeln!(
                text,
                "{:<10} {speed_up:.2} times, wall {wall:.2}, CPU {cpu:.2}",
                of_workers(workers)
            );
        }
    }
    if !measurements.against.is_empty() {
        let _ = writeln!(text, "\nbeside other programs, with start and end of the process");
        text.push_str(&against(measurements));
    }
    if !measurements.damaged.is_empty() {
        let _ = writeln!(text, "\ndamaged inputs (all the rest was measured)");
        for Damage { path, what } in &measurements.damaged {
            let _ = writeln!(text, "  {path}: {what}");
        }
    }
    text
}

/// For programs.
pub fn json(measurements: &Measurements) -> Value {
    let stages = measurements.tables.iter().flat_map(|table| {
        table.with_shares().into_iter().map(|(median, share)| {
            let mut stage = median.measured.json(median.stage);
            stage["workers"] = json!(table.workers);
            stage["share"] = json!(share);
            stage
        })
    });
    let scaling = scaling(measurements).into_iter().map(|scaling| {
        let Scaling { workers, speed_up, wall, cpu } = scaling;
        json!({ "workers": workers, "speed_up": speed_up, "wall_ratio": wall, "cpu_ratio": cpu })
    });
    let against = measurements.against.iter().map(|outcome| {
        let (name, beside) = (outcome.other.name(), outcome.other.beside().name());
        match &outcome.result {
            Ok(held) => json!({
                "program": name,
                "command": outcome.command,
                "beside": beside,
                "seconds": held.theirs.wall,
                "cpu_seconds": held.theirs.cpu,
                "own_seconds": held.ours.wall,
                "own_cpu_seconds": held.ours.cpu,
                "wall_ratio": held.wall(),
                "cpu_ratio": held.cpu(),
            }),
            Err(why) => json!({ "program": name, "command": outcome.command, "skipped": why }),
        }
    });
    json!({
        "runs": measurements.runs,
        "cores": measurements.cores,
        "held_to_cores": measurements.held,
        "stages": stages.collect::<Vec<_>>(),
        "scaling": scaling.collect::<Vec<_>>(),
        "against": against.collect::<Vec<_>>(),
        "damaged": damaged(&measurements.damaged),
    })
}

/// A single measurement, for people and for programs.
pub fn only(stage: Stage, workers: usize, measured: &Measured, damage: &[Damage]) -> (String, Value) {
    let mut value = measured.json(stage);
    value["workers"] = json!(workers);
    let value = json!({ "cores": cores(), "stages": [value], "damaged": damaged(damage) });
    let mut text = format!("{HEADER}\n{}\n", line(stage, measured, None));
    for Damage { path, what } in damage {
        let _ = writeln!(text, "damaged: {path}: {what}");
    }
    (text, value)
}

/// What was read, and how often.
fn head(measurements: &Measurements) -> String {
    let Measurements { runs, cores, tables, .. } = measurements;
    let read = tables.first().and_then(StageTable::whole).map(|whole| &whole.measured);
    let (packets, bytes) = read.map_or((0, 0), |read| (read.packets, read.bytes));
    let runs = if *runs == 1 { "1 run".to_owned() } else { format!("medians of {runs} runs") };
    let cores = if *cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let packets = if packets == 1 { "1 packet".to_owned() } else { format!("{packets} packets") };
    format!("{packets}, {}; {runs} on {cores}", HumanBytes(bytes))
}

/// `1 worker`, `2 workers`.
pub(super) fn of_workers(workers: usize) -> String {
    if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") }
}

const HEADER: &str =
    "stage      packets/s   Gbit/s  ns/packet    CPU s   wall s  share     rows/s      memory";

fn stages(table: &StageTable) -> String {
    let mut text = format!("{HEADER}\n");
    for (median, share) in table.with_shares() {
        let _ = writeln!(text, "{}", line(median.stage, &median.measured, Some(share)));
    }
    text
}

/// A line of the table of stages.
fn line(stage: Stage, measured: &Measured, share: Option<f64>) -> String {
    let share = share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", 100.0 * share));
    let rows = if stage >= Stage::Rows { count(measured.rows_per_second()) } else { "-".to_owned() };
    format!(
        "{:<8} {:>11} {:>8.3} {:>10.0} {:>8.3} {:>8.3} {share:>6} {rows:>10} {:>11}",
        stage.name(),
        count(measured.packets_per_second()),
        measured.gbit_per_second(),
        measured.nanoseconds_per_packet(),
        measured.cpu,
        measured.wall,
        HumanBytes(measured.memory as u64).to_string(),
    )
}

/// `1.25 M`, `12.5 k`, `125`.
fn count(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{:.2} M", number / 1e6),
        number if number >= 1e4 => format!("{:.1} k", number / 1e3),
        number => format!("{number:.0}"),
    }
}

/// The whole with more workers, held against that with the first number of them.
struct Scaling {
    workers: usize,
    speed_up: f64,
    wall: f64,
    cpu: f64,
}

fn scaling(measurements: &Measurements) -> Vec<Scaling> {
    let wholes =
        measurements.tables.iter().filter_map(|table| Some((table.workers, &table.whole()?.measured)));
    let mut wholes = wholes.peekable();
    let Some((_, first)) = wholes.peek().copied() else { return Vec::new() };
    wholes
        .skip(1)
        .map(|(workers, whole)| Scaling {
            workers,
            speed_up: ratio(first.wall, whole.wall),
            wall: ratio(whole.wall, first.wall),
            cpu: ratio(whole.cpu, first.cpu),
        })
        .collect()
}

fn against(measurements: &Measurements) -> String {
    let mut text =
        "program    wall s    CPU s  beside    wall s    CPU s  wall ratio  CPU ratio\n".to_owned();
    for Outcome { other, result, .. } in &measurements.against {
        let (name, beside) = (other.name(), other.beside().name());
        let _ = match result {
            Ok(held) => {
                let Held { theirs, ours } = held;
                writeln!(
                    text,
                    "{name:<8} {:>8.2} {:>8.2}  {beside:<6} {:>9.2} {:>8.2} {:>11.2} {:>10.2}",
                    theirs.wall,
                    theirs.cpu,
                    ours.wall,
                    ours.cpu,
                    held.wall(),
                    held.cpu(),
                )
            }
            Err(why) => writeln!(text, "{name:<8} skipped: {why}"),
        };
    }
    for Outcome { command, result, .. } in &measurements.against {
        if result.is_ok() {
            let _ = writeln!(text, "  {command}");
        }
    }
    text
}

impl Held {
    /// How many times as long as ours it took.
    fn wall(&self) -> f64 {
        ratio(self.theirs.wall, self.ours.wall)
    }

    /// How many times as much of the processors as ours it took.
    fn cpu(&self) -> f64 {
        ratio(self.theirs.cpu, self.ours.cpu)
    }
}

impl Outside {
    /// The median of each quantity.
    pub(super) fn median(runs: &[Self]) -> Self {
        let of = |quantity: fn(&Self) -> f64| super::measure::median(runs.iter().map(quantity).collect());
        Self { wall: of(|run| run.wall), cpu: of(|run| run.cpu) }
    }
}

fn damaged(damaged: &[Damage]) -> Vec<Value> {
    damaged.iter().map(|Damage { path, what }| json!({ "path": path, "what": what })).collect()
}

#[cfg(test)]
mod tests {
    use super::super::against::Other;
    use super::super::samples::table;
    use super::*;

    fn measurements() -> Measurements {
        Measurements {
            runs: 3,
            cores: 2,
            held: false,
            tables: vec![table(1, 0.25), table(2, 0.125)],
            against: vec![
                Outcome {
                    other: Other::Tshark,
                    command: "tshark -r FILE".to_owned(),
                    result: Ok(Held {
                        theirs: Outside { wall: 10.0, cpu: 12.0 },
                        ours: Outside { wall: 1.0, cpu: 2.0 },
                    }),
                },
                Outcome {
                    other: Other::Zeek,
                    command: "zeek -r FILE".to_owned(),
                    result: Err("not installed".to_owned()),
                },
            ],
            damaged: vec![Damage { path: "a.pcap".to_owned(), what: "cut short".to_owned() }],
        }
    }

    #[test]
    fn tables_are_for_people() {
        let expected = "\
1000000 packets, 476.84 MiB; medians of 3 runs on 2 cores

1 worker
stage      packets/s   Gbit/s  ns/packet    CPU s   wall s  share     rows/s      memory
walk          8.00 M   32.000        250    0.250    0.125  12.5%          -   10.00 MiB
decode        4.00 M   16.000        500    0.500    0.250  12.5%          -   10.00 MiB
flows         2.67 M   10.667        750    0.750    0.375  12.5%          -   10.00 MiB
sessions      2.00 M    8.000       1000    1.000    0.500  12.5%          -   10.00 MiB
rows          1.60 M    6.400       1250    1.250    0.625  12.5%     80.0 k   10.00 MiB
columns       1.33 M    5.333       1500    1.500    0.750  12.5%     66.7 k   10.00 MiB
encode        1.14 M    4.571       1750    1.750    0.875  12.5%     57.1 k   10.00 MiB
disk          1.00 M    4.000       2000    2.000    1.000  12.5%     50.0 k   10.00 MiB
";
        let text = text(&measurements());
        assert!(text.starts_with(expected), "{text}");
        let expected = "
speed-up of the whole
2 workers  2.00 times, wall 0.50, CPU 0.50

beside other programs, with start and end of the process
program    wall s    CPU s  beside    wall s    CPU s  wall ratio  CPU ratio
tshark      10.00    12.00  disk        1.00     2.00       10.00       6.00
zeek     skipped: not installed
  tshark -r FILE

damaged inputs (all the rest was measured)
  a.pcap: cut short
";
        assert!(text.ends_with(expected), "{text}");
        let held = super::text(&Measurements { held: true, ..measurements() });
        assert!(held.contains("\n2 workers, as many cores\n"), "{held}");
    }

    #[test]
    fn a_program_gets_every_figure_of_every_table() {
        let json = json(&measurements());
        assert_eq!(json["stages"].as_array().unwrap().len(), 16);
        assert_eq!(json["stages"][15]["workers"], 2);
        assert_eq!(json["stages"][15]["share"], 0.125);
        assert_eq!(json["stages"][0]["gbit_per_second"], 32.0);
        assert_eq!(json["scaling"][0]["speed_up"], 2.0);
        assert_eq!(json["against"][0]["cpu_ratio"], 6.0);
        assert_eq!(json["against"][1]["skipped"], "not installed");
        assert_eq!(json["damaged"][0]["path"], "a.pcap");
    }

    #[test]
    fn a_single_measurement_has_no_share() {
        let table = table(4, 0.25);
        let (text, json) = only(Stage::Rows, 4, &table.stages[4].measured, &[]);
        assert!(text.lines().nth(1).unwrap().contains("  -     80.0 k"), "{text}");
        assert_eq!(json["stages"][0]["workers"], 4);
    }
}
