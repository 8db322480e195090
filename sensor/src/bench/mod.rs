//! How fast captures are read, stage by stage: each does what those before it do, and its own on top.
//!
//! ```text
//!  this process                     a process for each measurement
//!  a warm-up                        bench … --only disk
//!  for each run                     bench … --only walk --workers 1
//!    for each setting               bench … --only decode --workers 1
//!      each stage                   …
//!    each other program             tcpdump …
//!  medians, tables
//! ```
//!
//! Runs are interleaved, so that what else the machine does hits all stages alike.

mod against;
mod bar;
mod child;
mod measure;
mod report;
mod stage;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use anyhow::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};

use crate::counters::Damage;
use against::{Others, Outcome};
use bar::Bar;
use child::Outside;

pub use against::Other;
pub use measure::{Measured, measure};
pub use report::{json, only, text};
pub use stage::Stage;

/// What is to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The captures; each is a file that can be read many times.
    pub captures: Vec<PathBuf>,
    /// With what the stages run; a table for each.
    pub settings: Vec<Setting>,
    /// How often each stage runs; medians are shown.
    pub runs: usize,
    /// Programs that run beside it.
    pub against: Vec<Other>,
    /// What this program was started with, its own name left out: processes for single measurements are, too.
    pub arguments: Vec<OsString>,
}

/// With what the stages run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Number of workers.
    pub workers: usize,
    /// Whether the process is held to as many processor cores; else it has all, which the reader and the encoders use whatever
    /// the number of workers is.
    pub held: bool,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    /// How often each stage ran.
    pub runs: usize,
    /// Processor cores that there are.
    pub cores: usize,
    /// Medians, for each setting.
    pub tables: Vec<StageTable>,
    /// Other programs.
    pub against: Vec<Outcome>,
    /// Inputs that were not whole.
    pub damaged: Vec<Damage>,
}

/// All stages with one setting.
#[derive(Clone, Debug, Default)]
pub struct StageTable {
    /// Which.
    pub setting: Setting,
    /// Medians by stage.
    pub stages: Vec<StageMedian>,
}

/// The medians of one stage.
#[derive(Clone, Debug)]
pub struct StageMedian {
    /// Which.
    pub stage: Stage,
    /// As the process measured itself.
    pub measured: Measured,
    /// As it looked from outside.
    pub outside: Outside,
}

/// Measures all that is planned.
///
/// # Errors
/// A capture cannot be read, or a lake cannot be written.
pub fn run(plan: &Plan) -> Result<Measurements> {
    let mut others = Others::find(&plan.against);
    let each_run = plan.settings.len() * Stage::ALL.len() + others.count();
    let bar = Bar::start(1 + plan.runs * each_run);
    let first = plan.settings.first().copied().unwrap_or_default();
    bar.begin("warm-up");
    let (_, damaged, _) = child::measure(Stage::Disk, first, &plan.arguments)?;
    let mut runs: BTreeMap<(usize, Stage), Vec<(Measured, Outside)>> = BTreeMap::new();
    for run in 1..=plan.runs {
        for (place, setting) in plan.settings.iter().enumerate() {
            for stage in Stage::ALL {
                bar.begin(&format!("run {run} of {}, {}: {}", plan.runs, setting.name(), stage.name()));
                let (measured, _, outside) = child::measure(stage, *setting, &plan.arguments)?;
                runs.entry((place, stage)).or_default().push((measured, outside));
            }
        }
        others.run(&plan.captures, |name| bar.begin(&format!("run {run} of {}: {name}", plan.runs)))?;
    }
    drop(bar);
    let mut tables = Vec::new();
    for (place, setting) in plan.settings.iter().enumerate() {
        let median = |stage| {
            let (measured, outside): (Vec<_>, Vec<_>) =
                runs.get(&(place, stage)).into_iter().flatten().cloned().unzip();
            StageMedian { stage, measured: Measured::median(&measured), outside: Outside::median(&outside) }
        };
        tables.push(StageTable { setting: *setting, stages: Stage::ALL.map(median).to_vec() });
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let against = others.outcomes(tables.first());
    Ok(Measurements { runs: plan.runs, cores, tables, against, damaged })
}

impl Setting {
    /// `1 worker`, `2 workers`; `1 core`, `2 cores`.
    fn name(self) -> String {
        let Self { workers, held } = self;
        let what = if held { "core" } else { "worker" };
        format!("{workers} {what}{}", if workers == 1 { "" } else { "s" })
    }

    /// Says of a figure what it was measured with.
    fn mark(self, figure: &mut Value) {
        figure["workers"] = json!(self.workers);
        figure["held_to_cores"] = json!(self.held.then_some(self.workers));
    }

    /// What [`Setting::mark`] says.
    fn of_json(figure: &Value) -> Option<Self> {
        let workers = figure.get("workers")?.as_u64()? as usize;
        Some(Self { workers, held: figure.get("held_to_cores")?.is_u64() })
    }

    /// How a process is told.
    fn arguments(self) -> [String; 2] {
        [if self.held { "--scale" } else { "--workers" }.to_owned(), self.workers.to_string()]
    }
}

/// Processor cores that this thread may run on.
///
/// # Errors
/// The kernel does not say.
pub fn cores() -> io::Result<usize> {
    Ok(sched_getaffinity(None)?.count() as usize)
}

/// Holds this thread, and those that it will begin, to the first so many of its processor cores.
///
/// # Errors
/// The kernel refuses.
pub fn hold_to_cores(count: usize) -> io::Result<()> {
    let all = sched_getaffinity(None)?;
    let mut held = CpuSet::new();
    (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).take(count).for_each(|core| held.set(core));
    Ok(sched_setaffinity(None, &held)?)
}

impl StageTable {
    fn stage(&self, stage: Stage) -> Option<&StageMedian> {
        self.stages.iter().find(|of| of.stage == stage)
    }

    /// The last stage, which is the whole.
    fn whole(&self) -> Option<&StageMedian> {
        self.stage(Stage::Disk)
    }

    /// Each stage with its share of the whole: what it adds to the stage before it, of the processors' time of all.
    fn with_shares(&self) -> Vec<(&StageMedian, f64)> {
        let whole = self.whole().map_or(0.0, |whole| whole.measured.cpu);
        let mut before = 0.0;
        self.stages
            .iter()
            .map(|stage| {
                let added = stage.measured.cpu - before;
                before = stage.measured.cpu;
                (stage, measure::ratio(added, whole))
            })
            .collect()
    }
}

/// Measurements as they might be, for the tests of what is made of them.
#[cfg(test)]
mod samples {
    use super::*;

    /// A table in which stage number n has taken `cpu` × n seconds of processors, and half of it on the wall.
    pub(super) fn table(setting: Setting, cpu: f64) -> StageTable {
        let stages = Stage::ALL.iter().zip(1..).map(|(stage, number)| {
            let cpu = cpu * f64::from(number);
            let rows = if *stage >= Stage::Rows { 50_000 } else { 0 };
            let measured = Measured {
                packets: 1_000_000,
                bytes: 500_000_000,
                rows,
                wall: cpu / 2.0,
                cpu,
                memory: 10_485_760.0,
            };
            StageMedian { stage: *stage, measured, outside: Outside { wall: cpu / 2.0, cpu } }
        });
        StageTable { setting, stages: stages.collect() }
    }

    #[test]
    fn a_thread_is_held_to_so_many_cores_and_those_that_it_begins_are_too() {
        let all = cores().unwrap();
        // In a thread of its own: the other tests go on with all.
        let held = |count| {
            let begin = move || {
                hold_to_cores(count).unwrap();
                std::thread::spawn(|| cores().unwrap()).join().unwrap()
            };
            std::thread::spawn(begin).join().unwrap()
        };
        assert_eq!(held(1), 1);
        assert_eq!(held(all), all);
        assert_eq!(cores().unwrap(), all);
    }

    #[test]
    fn shares_are_what_a_stage_adds_and_make_up_the_whole() {
        let mut table = table(Setting::default(), 0.125);
        assert!(table.with_shares().iter().all(|(_, share)| *share == 0.125));
        table.stages[3].measured.cpu = 0.625;
        let shares: Vec<f64> = table.with_shares().iter().map(|(_, share)| *share).collect();
        assert_eq!(shares, [0.125, 0.125, 0.125, 0.25, 0.0, 0.125, 0.125, 0.125]);
        assert_eq!(shares.iter().sum::<f64>(), 1.0);
    }
}
