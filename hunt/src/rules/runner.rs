//! Rounds: what is new in the lake, the rules that it concerns, the signals that come of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::ask::{Asked, Questioner, portions};
use super::catalog::Catalog;
use super::commit;
use super::raised::{self, Ledger, Raised};
use super::rule::{Rule, Severity};
use super::signal::{Signal, cut, identify};
use super::sinks::Receiver;
use super::span::{Span, windows};
use super::state::{SEEN, State, reached};
use crate::engine::Lake;

/// Runs rules over a lake.
pub(super) struct Runner<'a> {
    path: &'a Path,
    memory: usize,
    lake: Lake,
    /// When the engine was started: it remembers each file that it has seen.
    started: Instant,
    state: State,
    catalog: Catalog,
    rounds: Rounds,
    receivers: Vec<Receiver>,
    /// What was told last of each thing, so that it is told once.
    told: HashMap<String, String>,
    /// Rules that could not be run, and when.
    failed: HashMap<String, (u64, Instant)>,
    should_stop: &'a dyn Fn() -> bool,
    complain: &'a dyn Fn(&str),
    /// The worst that was raised.
    pub(super) worst: Option<Severity>,
    /// How many were raised.
    pub(super) count: usize,
}

/// How far the rules have come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Rounds {
    /// Number of the last round in which there was something new.
    last: u64,
    /// Of each rule the last round over whose files it was run.
    rules: BTreeMap<String, u64>,
}

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// A rule could not be run.
    pub(super) failed: bool,
    /// The lake changed meanwhile, so that another round is due at once.
    pub(super) overtaken: bool,
}

/// What came of a rule.
enum Ran {
    Done,
    Overtaken,
    Stopped,
}

/// Minutes of files, by path: none of one that has gone.
type FileMinutes = HashMap<PathBuf, Option<Vec<Span>>>;

impl<'a> Runner<'a> {
    /// Takes the lake's memory of signals, and carries out what an earlier run did not come to do.
    pub(super) fn start(
        path: &'a Path,
        memory: usize,
        receivers: Vec<Receiver>,
        should_stop: &'a dyn Fn() -> bool,
        complain: &'a dyn Fn(&str),
    ) -> Result<Self> {
        let lake = Lake::open(path, memory)?;
        let state = State::take(path)?;
        let recovered = commit::redo(&state)?;
        let rounds: Option<Rounds> = state.read_whole(ROUNDS);
        if rounds.is_none() {
            // The numbers of rounds are worth nothing without it.
            for name in state.names(SEEN)? {
                state.remove(&format!("{SEEN}/{name}"))?;
            }
        }
        let mut runner = Self {
            path,
            memory,
            lake,
            started: Instant::now(),
            state,
            catalog: Catalog::default(),
            rounds: rounds.unwrap_or_default(),
            receivers,
            told: HashMap::new(),
            failed: HashMap::new(),
            should_stop,
            complain,
            worst: None,
            count: 0,
        };
        runner.take_note(&recovered);
        Ok(runner)
    }

    /// One round over all that is new; with `again` over all there is.
    pub(super) fn round(&mut self, rules: &[Rule], again: bool) -> Result<Outcome> {
        if self.started.elapsed() > FRESH {
            self.lake = Lake::open(self.path, self.memory)?;
            self.started = Instant::now();
        }
        let outcome = self.run_rules(rules, again);
        self.catalog.rest();
        self.tell_of_damage();
        outcome
    }

    fn run_rules(&mut self, rules: &[Rule], again: bool) -> Result<Outcome> {
        // If a disk was full in the last round.
        let recovered = commit::redo(&self.state)?;
        self.take_note(&recovered);
        let next = self.rounds.last.max(self.catalog.newest()) + 1;
        self.catalog.scan(&self.state, next)?;
        let goal = self.rounds.last.max(self.catalog.newest());
        if goal > self.rounds.last {
            self.rounds.last = goal;
            self.state.write(ROUNDS, &self.rounds)?;
        }
        reached("scanned");
        let mut outcome = Outcome::default();
        let mut minutes = FileMinutes::new();
        let mut ledger = Ledger::default();
        let mut signals = Vec::new();
        let mut done = Vec::new();
        for rule in rules {
            let after =
                if again { 0 } else { self.rounds.rules.get(&rule.name).copied().unwrap_or_default() };
            if after >= goal && !again {
                continue;
            }
            let is_tried = |(round, when): &(u64, Instant)| *round == goal && when.elapsed() < RETRY;
            if self.failed.get(&rule.name).is_some_and(is_tried) {
                outcome.failed = true;
                continue;
            }
            match self.run_rule(rule, after, &mut minutes, &mut ledger, &mut signals) {
                Ok(Ran::Done) => {
                    done.push(rule.name.clone());
                    self.failed.remove(&rule.name);
                    self.told.remove(&rule.name);
                }
                Ok(Ran::Overtaken) => outcome.overtaken = true,
                Ok(Ran::Stopped) => break,
                Err(error) => {
                    outcome.failed = true;
                    self.failed.insert(rule.name.clone(), (goal, Instant::now()));
                    // In one line, whatever the engine says.
                    let why = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
                    self.complain_once(&rule.name, format!("rule '{}': {}", rule.name, cut(why, MOST_WHY)));
                }
            }
        }
        self.raise(&mut signals)?;
        if !done.is_empty() {
            self.rounds.rules.extend(done.into_iter().map(|name| (name, goal)));
            self.state.write(ROUNDS, &self.rounds)?;
            reached("remembered");
        }
        let catalog = &self.catalog;
        // A window may begin in the month before that of its rows.
        raised::forget(&self.state, |year, month| {
            let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            catalog.has_month(year, month) || catalog.has_month(next_year, next)
        })?;
        Ok(outcome)
    }

    /// Runs a rule over the windows that files later than the round `after` touch.
    fn run_rule(
        &mut self,
        rule: &Rule,
        after: u64,
        minutes: &mut FileMinutes,
        ledger: &mut Ledger,
        signals: &mut Vec<(Signal, Raised)>,
    ) -> Result<Ran> {
        let Some(touched) = self.touched(rule, after, minutes)? else { return Ok(Ran::Overtaken) };
        for span in portions(rule, &touched) {
            if (self.should_stop)() {
                return Ok(Ran::Stopped);
            }
            let mut questioner =
                Questioner { lake: &self.lake, state: &self.state, catalog: &mut self.catalog };
            let hits = match questioner.ask(rule, span)? {
                Asked::Hits(hits) => hits,
                Asked::Overtaken => return Ok(Ran::Overtaken),
            };
            let mut raised = Vec::new();
            let mut new = Vec::new();
            for hit in hits {
                let (id, group) = identify(rule, &hit.key, hit.window);
                let this = Raised { id, group, window: hit.window };
                if ledger.has(&self.state, &this)?
                    || rule.suppress > 0 && ledger.has_near(&self.state, &this, rule.suppress)?
                    // Between windows that others touch: it was looked at before.
                    || !touched.contains(&hit.window)
                {
                    continue;
                }
                ledger.add(&this);
                raised.push(this);
                new.push(hit);
            }
            if !questioner.add_evidence(rule, &mut new)? {
                return Ok(Ran::Overtaken);
            }
            let new = new.into_iter().zip(raised);
            signals.extend(new.map(|(hit, raised)| (Signal::of(rule, hit, raised.id.clone()), raised)));
            if signals.len() >= TOGETHER {
                self.raise(signals)?;
            }
        }
        Ok(Ran::Done)
    }

    /// The windows of a rule in which new files have rows; none where one of them has gone meanwhile.
    fn touched(
        &mut self,
        rule: &Rule,
        after: u64,
        minutes: &mut FileMinutes,
    ) -> Result<Option<BTreeSet<i64>>> {
        let mut touched = BTreeSet::new();
        for table in &rule.tables {
            for place in self.catalog.places_after(table, after) {
                let folder = place.folder(self.state.lake());
                for file in self.catalog.files(&self.state, place).iter().filter(|file| file.round > after) {
                    let path = folder.join(&file.name);
                    if !minutes.contains_key(&path) {
                        minutes.insert(path.clone(), file.minutes(&folder)?);
                    }
                    let Some(Some(spans)) = minutes.get(&path) else { return Ok(None) };
                    windows(spans, rule.window, &mut touched);
                }
            }
        }
        Ok(Some(touched))
    }

    fn raise(&mut self, signals: &mut Vec<(Signal, Raised)>) -> Result<()> {
        let outboxes: Vec<String> =
            self.receivers.iter().map(|receiver| receiver.outbox().to_owned()).collect();
        let raised = commit::raise(&self.state, std::mem::take(signals), &outboxes)?;
        self.take_note(&raised);
        Ok(())
    }

    fn take_note(&mut self, signals: &[Signal]) {
        self.count += signals.len();
        self.worst = signals.iter().map(|signal| signal.severity).chain(self.worst).max();
    }

    /// Tells those who want to be told; says whether all were told all.
    pub(super) fn tell(&mut self) -> Result<bool> {
        let complain = self.complain;
        let mut all = true;
        for receiver in &mut self.receivers {
            all &= receiver.tell(&self.state, &mut |what| complain(what)).context("telling of signals")?;
        }
        Ok(all)
    }

    /// How long to wait until it is worth to tell again.
    pub(super) fn pause(&self) -> Duration {
        self.receivers.iter().map(Receiver::pause).max().unwrap_or_default()
    }

    /// Files that were left out.
    pub(super) fn has_damage(&self) -> bool {
        !self.catalog.damaged.is_empty() || !self.lake.damaged().is_empty()
    }

    fn tell_of_damage(&mut self) {
        let mut damaged = self.catalog.damaged.clone();
        damaged.extend(self.lake.damaged());
        for (path, why) in damaged {
            let path = path.display().to_string();
            self.complain_once(&path, format!("{path} is damaged, and was left out: {why}"));
        }
    }

    fn complain_once(&mut self, of: &str, what: String) {
        if self.told.get(of) != Some(&what) {
            (self.complain)(&what);
            if self.told.len() >= MOST_TOLD {
                self.told.clear();
            }
            self.told.insert(of.to_owned(), what);
        }
    }
}

/// What is remembered of the rounds.
const ROUNDS: &str = "rounds";

/// Signals that are raised together.
const TOGETHER: usize = 1000;

/// A rule that failed is tried again after so long, or when there is something new.
const RETRY: Duration = Duration::from_secs(60);

/// The engine is started anew after so long.
const FRESH: Duration = Duration::from_secs(3600);

/// Things of which is remembered what was told.
const MOST_TOLD: usize = 10_000;

/// Bytes of what is told of a rule that failed.
const MOST_WHY: usize = 1000;
