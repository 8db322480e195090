//! What goes first, and how it goes.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use schemas::envelope::Nanoseconds;

use super::Removed;
use super::scan::{Age, Cache, Lake, Partition};
use crate::folder::Folder;
use crate::store::{Content, Store, charge};

/// A run that removes files.
pub(super) struct Run<'a> {
    folder: &'a Folder,
    /// Path of the lake, for messages.
    path: &'a Path,
    store: Option<&'a Store>,
    /// In microseconds.
    now: i64,
    removed: Removed,
    /// Partitions that files went from.
    emptied: BTreeSet<usize>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        folder: &'a Folder,
        path: &'a Path,
        store: Option<&'a Store>,
        now: Nanoseconds,
    ) -> Self {
        let now = now.div_euclid(1000);
        Self { folder, path, store, now, removed: Removed::default(), emptied: BTreeSet::new() }
    }

    /// Removes what is older than so many days, all tables alike.
    pub(super) fn by_age(&mut self, lake: &mut Lake, cache: &mut Cache, days: i64) -> Result<()> {
        let oldest_kept = self.now.saturating_sub(days.saturating_mul(DAY));
        for (number, partition) in lake.partitions.iter_mut().enumerate() {
            // The folder says enough of months that have not begun by then.
            if partition.place.month.range().start >= i128::from(oldest_kept) * 1000 {
                break;
            }
            partition.ask(self.folder, cache, &mut self.removed).with_context(|| self.looking())?;
            for at in 0..partition.files.len() {
                if matches!(partition.files.get(at).map(|file| file.age), Some(Age::Newest(ts)) if ts < oldest_kept)
                {
                    self.remove(partition, number, at);
                }
            }
        }
        let Some(store) = self.store else { return Ok(()) };
        loop {
            let (_, contents) = store.oldest().context("looking through the store")?;
            let before = self.removed.contents.files;
            for content in contents.iter().take_while(|content| microseconds(content.seen) < oldest_kept) {
                self.remove_content(store, content);
            }
            if self.removed.contents.files == before {
                return Ok(());
            }
        }
    }

    /// Removes the oldest until lake, journal and store are within the bound.
    pub(super) fn by_bytes(&mut self, lake: &mut Lake, cache: &mut Cache, bound: u64) -> Result<()> {
        let (of_store, contents) = match self.store {
            Some(store) => store.oldest().context("looking through the store")?,
            None => Default::default(),
        };
        let files = lake.partitions.iter().flat_map(|partition| &partition.files);
        let of_lake: u64 = files.filter(|file| !file.is_gone).map(|file| charge(file.item.size)).sum();
        let mut left = of_lake + lake.journal + of_store;
        let mut contents = Contents { waiting: contents.into(), is_over: false };
        let mut others = Files::of(lake, |table| table != FLOWS);
        let mut flows = Files::of(lake, |table| table == FLOWS);
        while left > bound {
            contents.fill(self.store)?;
            others.fill(self, lake, cache, 1)?;
            // The newest file of `flows` stays: a bound below one file would leave nothing.
            flows.fill(self, lake, cache, 2)?;
            let content =
                contents.waiting.front().map(|content| (self.age(microseconds(content.seen)), Kind::Content));
            let other = others.waiting.front().map(|file| (self.age(file.newest), Kind::Other));
            let flow = flows.waiting.front().filter(|_| flows.waiting.len() > 1);
            let flow = flow.map(|file| (self.age(file.newest) / FLOWS_REACH, Kind::Flows));
            let Some((_, kind)) = [content, other, flow].into_iter().flatten().max() else { break };
            let freed = match kind {
                Kind::Content => match (contents.waiting.pop_front(), self.store) {
                    (Some(content), Some(store)) => {
                        let went = self.remove_content(store, &content);
                        // Looked up again it would come again.
                        contents.is_over |= !went;
                        if went { content.charge() } else { 0 }
                    }
                    _ => 0,
                },
                Kind::Other => self.remove_candidate(others.waiting.pop_front(), lake),
                Kind::Flows => self.remove_candidate(flows.waiting.pop_front(), lake),
            };
            left = left.saturating_sub(freed);
        }
        self.removed.left = left;
        self.removed.beyond = left.saturating_sub(bound);
        Ok(())
    }

    /// Removes folders that have become empty, and says what was done.
    pub(super) fn finish(self, lake: &Lake) -> Removed {
        for place in self.emptied.iter().filter_map(|&number| lake.partitions.get(number)) {
            // One that cannot be removed costs nothing.
            let _ = place.place.prune(self.folder);
        }
        self.removed
    }

    fn age(&self, ts: i64) -> i64 {
        self.now.saturating_sub(ts).max(0)
    }

    fn looking(&self) -> String {
        format!("looking through the lake {}", self.path.display())
    }

    fn remove_candidate(&mut self, candidate: Option<Candidate>, lake: &mut Lake) -> u64 {
        let Some(Candidate { partition: number, file, .. }) = candidate else { return 0 };
        let Some(partition) = lake.partitions.get_mut(number) else { return 0 };
        self.remove(partition, number, file)
    }

    /// Removes a file of the partition of this number, if it is still what was looked at; says how much room that made.
    fn remove(&mut self, partition: &mut Partition, number: usize, at: usize) -> u64 {
        let Some(file) = partition.files.get_mut(at).filter(|file| !file.is_gone) else { return 0 };
        let place = &partition.place;
        let remove = || -> io::Result<Option<bool>> {
            let Some(folder) = place.open(self.folder)? else { return Ok(None) };
            let Some(entry) = folder.look(&file.item.name)? else { return Ok(None) };
            if (entry.size, entry.modified) != (file.item.size, file.item.modified) {
                return Ok(Some(false));
            }
            folder.remove(&file.item.name).map(|()| Some(true))
        };
        match remove() {
            Ok(Some(true)) => {
                file.is_gone = true;
                self.removed.files.entry(place.table.clone()).or_default().add(file.item.size);
                self.emptied.insert(number);
                charge(file.item.size)
            }
            // Somebody else has removed it, or put another in its place.
            Ok(None) => {
                file.is_gone = true;
                charge(file.item.size)
            }
            Ok(Some(false)) => 0,
            Err(error) => {
                let path = self.path.join(place.path()).join(&file.item.name);
                self.note(&path.display().to_string(), &error);
                0
            }
        }
    }

    fn remove_content(&mut self, store: &Store, content: &Content) -> bool {
        match store.remove(content) {
            Ok(()) => {
                self.removed.contents.add(content.size);
                true
            }
            Err(error) => {
                self.note("a content of the store", &error);
                false
            }
        }
    }

    /// Counts what could not be removed, and says why of the first.
    fn note(&mut self, what: &str, error: &io::Error) {
        self.removed.failed += 1;
        self.removed.failure.get_or_insert_with(|| format!("{what}: {error}"));
    }
}

/// What may go; of the same age the later ones here go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Flows,
    Other,
    Content,
}

/// A file that may go.
#[derive(Debug)]
struct Candidate {
    newest: i64,
    partition: usize,
    file: usize,
}

/// Files by age, the oldest first. Only months whose turn has come are read.
struct Files {
    /// Partitions by month.
    months: VecDeque<Vec<usize>>,
    waiting: VecDeque<Candidate>,
}

impl Files {
    fn of(lake: &Lake, is_wanted: impl Fn(&str) -> bool) -> Self {
        let mut months: VecDeque<Vec<usize>> = VecDeque::new();
        let mut last = None;
        for (number, partition) in lake.partitions.iter().enumerate() {
            if is_wanted(&partition.place.table) {
                let month = Some(partition.place.month);
                match months.back_mut().filter(|_| last == month) {
                    Some(numbers) => numbers.push(number),
                    None => months.push_back(vec![number]),
                }
                last = month;
            }
        }
        Self { months, waiting: VecDeque::new() }
    }

    /// Reads further months until so many files wait, or none are left.
    fn fill(&mut self, run: &mut Run<'_>, lake: &mut Lake, cache: &mut Cache, least: usize) -> Result<()> {
        while self.waiting.len() < least
            && let Some(numbers) = self.months.pop_front()
        {
            let mut candidates = Vec::new();
            for number in numbers {
                let Some(partition) = lake.partitions.get_mut(number) else { continue };
                partition.ask(run.folder, cache, &mut run.removed).with_context(|| run.looking())?;
                candidates.extend(partition.files.iter().enumerate().filter_map(
                    |(at, file)| match file.age {
                        Age::Newest(newest) if !file.is_gone => {
                            Some(Candidate { newest, partition: number, file: at })
                        }
                        _ => None,
                    },
                ));
            }
            candidates.sort_by_key(|candidate| candidate.newest);
            self.waiting.extend(candidates);
        }
        Ok(())
    }
}

/// Contents of the store, the oldest first.
struct Contents {
    waiting: VecDeque<Content>,
    /// No more are looked up.
    is_over: bool,
}

impl Contents {
    fn fill(&mut self, store: Option<&Store>) -> Result<()> {
        if let Some(store) = store
            && self.waiting.is_empty()
            && !self.is_over
        {
            self.waiting = store.oldest().context("looking through the store")?.1.into();
            self.is_over = self.waiting.is_empty();
        }
        Ok(())
    }
}

/// When a content was last seen, in microseconds.
fn microseconds((seconds, nanoseconds): (i64, i64)) -> i64 {
    seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1000)
}

/// The table that goes last.
const FLOWS: &str = "flows";

/// By bytes, `flows` reaches back so many times as far as everything else. Were it kept until nothing else is left, it
/// would in time fill the whole bound, and all other rows would go as soon as they are written.
const FLOWS_REACH: i64 = 4;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
