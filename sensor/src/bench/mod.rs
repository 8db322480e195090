//! How fast captures are read, stage by stage: each does what those before it do, and its own on top.
//!
//! ```text
//!  this process                     a process for each measurement
//!  a warm-up                        bench … --only disk
//!  for each run                     bench … --only walk --workers 1
//!    for each number of workers     bench … --only decode --workers 1
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
    /// Numbers of workers, each once.
    pub workers: Vec<usize>,
    /// Each process is held to as many cores as it has workers.
    pub hold_cores: bool,
    /// How often each stage runs; medians are shown.
    pub runs: usize,
    /// Programs that run beside it.
    pub against: Vec<Other>,
    /// What this program was started with, its own name left out: processes for single measurements are, too.
    pub arguments: Vec<OsString>,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    /// How often each stage ran.
    pub runs: usize,
    /// Processor cores that there are.
    pub cores: usize,
    /// Whether each process was held to as many of them as it had workers.
    pub held: bool,
    /// Medians, for each number of workers.
    pub tables: Vec<StageTable>,
    /// Other programs.
    pub against: Vec<Outcome>,
    /// Inputs that were not whole.
    pub damaged: Vec<Damage>,
}

/// All stages with one number of workers.
#[derive(Clone, Debug, Default)]
pub struct StageTable {
    /// The number.
    pub workers: usize,
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
    let each_run = plan.workers.len() * Stage::ALL.len() + others.count();
    let bar = Bar::start(1 + plan.runs * each_run);
    let first = plan.workers.first().copied().unwrap_or(1);
    bar.begin("warm-up");
    let (_, damaged, _) = child::measure(Stage::Disk, first, &plan.arguments)?;
    let mut runs: BTreeMap<(usize, Stage), Vec<(Measured, Outside)>> = BTreeMap::new();
    for run in 1..=plan.runs {
        for (place, workers) in plan.workers.iter().enumerate() {
            for stage in Stage::ALL {
                let workers_of = report::of_workers(*workers);
                bar.begin(&format!("run {run} of {}, {workers_of}: {}", plan.runs, stage.name()));
                let (measured, _, outside) = child::measure(stage, *workers, &plan.arguments)?;
                runs.entry((place, stage)).or_default().push((measured, outside));
            }
        }
        others.run(&plan.captures, |name| bar.begin(&format!("run {run} of {}: {name}", plan.runs)))?;
    }
    drop(bar);
    let mut tables = Vec::new();
    for (place, workers) in plan.workers.iter().enumerate() {
        let median = |stage| {
            let (measured, outside): (Vec<_>, Vec<_>) =
                runs.get(&(place, stage)).into_iter().flatten().cloned().unzip();
            StageMedian { stage, measured: Measured::median(&measured), outside: Outside::median(&outside) }
        };
        tables.push(StageTable { workers: *workers, stages: Stage::ALL.map(median).to_vec() });
    }
    let against = others.outcomes(tables.first());
    Ok(Measurements { runs: plan.runs, cores: cores(), held: plan.hold_cores, tables, against, damaged })
}

/// Processor cores that this thread may run on; where the kernel does not say, one.
pub fn cores() -> usize {
    sched_getaffinity(None).map_or(1, |cores| cores.count() as usize)
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
    pub(super) fn table(workers: usize, cpu: f64) -> StageTable {
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
        StageTable { workers, stages: stages.collect() }
    }

    #[test]
    fn a_thread_is_held_to_so_many_cores_and_those_that_it_begins_are_too() {
        let all = cores();
        // In a thread of its own: the other tests go on with all.
        let held = |count| {
            let begin = move || {
                hold_to_cores(count).unwrap();
                std::thread::spawn(cores).join().unwrap()
            };
            std::thread::spawn(begin).join().unwrap()
        };
        assert_eq!(held(1), 1);
        assert_eq!(held(all), all);
        assert_eq!(cores(), all);
    }

    #[test]
    fn shares_are_what_a_stage_adds_and_make_up_the_whole() {
        let mut table = table(1, 0.125);
        assert!(table.with_shares().iter().all(|(_, share)| *share == 0.125));
        table.stages[3].measured.cpu = 0.625;
        let shares: Vec<f64> = table.with_shares().iter().map(|(_, share)| *share).collect();
        assert_eq!(shares, [0.125, 0.125, 0.125, 0.25, 0.0, 0.125, 0.125, 0.125]);
        assert_eq!(shares.iter().sum::<f64>(), 1.0);
    }
}
