//! Exchanging the folder of a partition for one with other files and the same rows, at once and whatever happens meanwhile.
//!
//! ```text
//!  LAKE/.compact/lock       held by whoever exchanges folders in this lake
//!  LAKE/.compact/exchange   held for the moments of an exchange; shared, by whoever puts a name into a partition
//!  LAKE/.compact/plan       which partition is about to be exchanged, and which of its files the new folder replaces
//!  LAKE/.compact/folder     the new folder; from the exchange on, the old one, until it is empty
//! ```
//!
//! The new folder holds a mark, a hidden empty file. So after a crash it is known which folder is where: with the mark in
//! `.compact/folder` nothing has happened yet, and that is removed; with the mark in the partition the exchange is done, and
//! what is left in the old folder is removed where the plan names it and else moved into the new one.
//!
//! Globs of DuckDB see hidden folders. Files of the new folder are therefore not called `.parquet` before the exchange, and for
//! its moments nobody but root can list `.compact`.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::Mode;
use schemas::lake::{EXCHANGE, WORKSHOP};
use serde_json::{Value, json};

use super::folder::TRIES;
use super::footer::Footer;
use super::partition::Input;
use super::tree::{self, Item, Place};
use crate::folder::{Folder, Nature, Owner};

/// The right to exchange folders of a lake, held until dropped.
#[derive(Debug)]
pub(crate) struct Workshop {
    lake: Folder,
    folder: Folder,
    path: PathBuf,
    /// Who the lake belongs to: whoever exchanges folders may be root.
    owner: Owner,
    /// The lock belongs to the open file.
    _lock: File,
}

/// What is about to be exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Stands in the mark's name.
    pub(crate) token: String,
    /// The partition.
    pub(crate) place: Place,
    /// Its files that the new folder does not have, for it has their rows in others.
    pub(crate) replaced: Vec<Item>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchanged {
    /// The new folder is in its place.
    Done,
    /// The partition changed meanwhile; it is as it was.
    Overtaken,
}

/// Points at which a test may let the run end as in a crash, or do something meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Planned,
    FolderMade,
    Marked,
    Written,
    Named,
    Linked,
    Exchanged,
    OneRemoved,
    Emptied,
    FolderRemoved,
    MarkRemoved,
}

impl Workshop {
    /// Takes the right to exchange folders; none where somebody else has it.
    pub(crate) fn take(lake: &Path) -> Result<Option<Self>> {
        let path = lake.join(WORKSHOP);
        let opening = || format!("opening {}", path.display());
        let top = Folder::open(lake).with_context(|| format!("opening the lake {}", lake.display()))?;
        let owner = top.nature().with_context(opening)?.owner;
        match top.make_for(WORKSHOP, OPEN, owner) {
            // A crash may have left it closed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !path.is_symlink() => {
                fs::set_permissions(&path, Permissions::from_mode(OPEN.bits())).with_context(opening)?;
            }
            result => drop(result.with_context(opening)?),
        }
        let folder = top.folder(WORKSHOP).with_context(opening)?;
        let folder = folder.with_context(|| format!("{} is no folder", path.display()))?;
        let lock = lock_file(&folder, LOCK, owner).with_context(opening)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(anyhow!(error).context(format!("locking {}", path.join(LOCK).display())));
            }
        }
        Ok(Some(Self { lake: top, folder, path, owner, _lock: lock }))
    }

    /// Ends what was cut short, by a crash or by an error, without losing or doubling a row. Says whether there was
    /// anything.
    pub(crate) fn settle(&self) -> Result<bool> {
        let settling = || format!("ending what was cut short in {}", self.path.display());
        let Some(plan) = self.read_plan().with_context(settling)? else {
            // It is made after the plan and removed before it, so it is empty, if it is there at all.
            let _ = self.folder.remove_folder(FOLDER);
            return Ok(false);
        };
        let _exchange = self.exclusively().with_context(settling)?;
        let _closed = Closed::close(&self.folder).with_context(settling)?;
        self.settle_plan(&plan).with_context(settling)?;
        Ok(true)
    }

    fn settle_plan(&self, plan: &Plan) -> Result<()> {
        let mark = mark(&plan.token);
        let is_marked = |folder: &Folder| folder.look(&*mark).map(|found| found.is_some());
        let other = self.folder.folder(FOLDER)?;
        let partition = plan.place.open(&self.lake)?;
        if let Some(new) = &other
            && is_marked(new)?
        {
            self.discard(new)?;
        } else if let Some(partition) = &partition
            && is_marked(partition)?
        {
            self.finish(plan, partition)?;
        } else if other.is_some()
            && let Err(error) = self.folder.remove_folder(FOLDER)
        {
            let folder = self.path.join(FOLDER);
            bail!(
                "{} holds files of {}, which somebody else has changed; move them there or remove them ({error})",
                folder.display(),
                plan.place.path().display()
            );
        }
        Ok(self.remove_plan()?)
    }

    /// Makes the new folder of a partition whose folder is like `old`, empty but for its mark.
    pub(crate) fn begin(&self, plan: &Plan, old: &Nature) -> io::Result<Folder> {
        let bytes = serde_json::to_vec(&plan.json())?;
        self.folder.remove(NEW_PLAN)?;
        let mut file = self.folder.create_for(NEW_PLAN, self.owner)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        self.folder.rename(NEW_PLAN, &self.folder, PLAN)?;
        self.folder.sync_names()?;
        reached(Point::Planned);
        let folder = self.folder.make_for(FOLDER, old.mode, old.owner)?;
        reached(Point::FolderMade);
        folder.create_for(&mark(&plan.token), old.owner)?.sync_all()?;
        folder.sync_names()?;
        self.folder.sync_names()?;
        reached(Point::Marked);
        Ok(folder)
    }

    /// Removes the new folder before it was exchanged.
    fn discard(&self, new: &Folder) -> io::Result<()> {
        let (marks, others): (Vec<_>, Vec<_>) = new.all_names()?.into_iter().partition(|name| is_mark(name));
        // The mark goes last: without it nobody would know that nothing has happened.
        for name in others.iter().chain(&marks) {
            new.remove(&**name)?;
        }
        self.folder.remove_folder(FOLDER)?;
        self.folder.sync_names()
    }

    /// Puts the new folder in the place of the old one, once its files, which are on disk, have got their names. What
    /// the old one holds beside the files that are replaced, the new one holds then, too.
    pub(crate) fn exchange(
        &self,
        plan: &Plan,
        old: &Folder,
        new: &Folder,
        written: &[(String, String)],
    ) -> io::Result<Exchanged> {
        let _exchange = self.exclusively()?;
        let _closed = Closed::close(&self.folder)?;
        let exchanged = self.exchange_now(plan, old, new, written);
        match &exchanged {
            Ok(Exchanged::Done) => self.remove_plan()?,
            // As long as readers cannot list it; an error here is found again by whoever comes next.
            _ => drop(self.settle_plan(plan)),
        }
        exchanged
    }

    fn exchange_now(
        &self,
        plan: &Plan,
        old: &Folder,
        new: &Folder,
        written: &[(String, String)],
    ) -> io::Result<Exchanged> {
        let number = old.nature()?.number;
        let is_same = |folder: Folder| folder.nature().map(|nature| nature.number == number);
        let Some(year) = plan.place.open_year(&self.lake)? else { return Ok(Exchanged::Overtaken) };
        if !plan.place.open(&self.lake)?.map_or(Ok(false), is_same)? {
            return Ok(Exchanged::Overtaken);
        }
        if !plan.is_still_in(old)? {
            return Ok(Exchanged::Overtaken);
        }
        for (hidden, name) in written {
            new.rename(hidden, new, name)?;
        }
        reached(Point::Named);
        for name in old.all_names()? {
            let is_replaced = plan.replaced.iter().any(|item| name == *item.name);
            // What is hidden is still being written, or of no interest to readers: it is moved afterwards. So is what
            // cannot be linked.
            if !is_replaced && !is_hidden(&name) {
                let _ = old.link(&name, new);
            }
        }
        new.sync_names()?;
        reached(Point::Linked);
        year.exchange(plan.place.month_folder(), &self.folder, FOLDER)?;
        year.sync_names()?;
        self.folder.sync_names()?;
        reached(Point::Exchanged);
        self.finish(plan, new)?;
        Ok(Exchanged::Done)
    }

    /// Empties the old folder, removes it, and then the mark of the new one.
    fn finish(&self, plan: &Plan, new: &Folder) -> io::Result<()> {
        let mut tries = 0;
        loop {
            if let Some(old) = self.folder.folder(FOLDER)? {
                for name in old.all_names()? {
                    empty(plan, &old, new, &name)?;
                }
                new.sync_names()?;
                reached(Point::Emptied);
            }
            match self.folder.remove_folder(FOLDER) {
                // Somebody who had found the folder before the exchange has put a name into it since.
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < TRIES => tries += 1,
                result => break result?,
            }
        }
        self.folder.sync_names()?;
        reached(Point::FolderRemoved);
        new.remove(&*mark(&plan.token))?;
        // Before the plan goes: without that nobody would remove a mark that comes back.
        new.sync_names()?;
        reached(Point::MarkRemoved);
        Ok(())
    }

    fn read_plan(&self) -> Result<Option<Plan>> {
        let mut bytes = Vec::new();
        match self.folder.read(PLAN) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let json: Value = serde_json::from_slice(&bytes)?;
        Ok(Some(Plan::of_json(&json).context("the plan is none")?))
    }

    fn remove_plan(&self) -> io::Result<()> {
        self.folder.remove(NEW_PLAN)?;
        self.folder.remove(PLAN)?;
        self.folder.sync_names()
    }

    /// Waits until nobody puts a name into a partition, and keeps others from doing so.
    fn exclusively(&self) -> io::Result<File> {
        let lock = lock_file(&self.folder, EXCHANGE, self.owner)?;
        match lock.lock() {
            Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
            _ => Ok(lock),
        }
    }
}

impl Plan {
    /// Whether the files that are replaced are still there, each the same.
    pub(crate) fn is_still_in(&self, folder: &Folder) -> io::Result<bool> {
        for item in &self.replaced {
            if !item.is_in(folder)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn json(&self) -> Value {
        let replaced: Vec<Value> = self
            .replaced
            .iter()
            .map(|item| json!({"name": item.name, "size": item.size, "modified": [item.modified.0, item.modified.1]}))
            .collect();
        json!({"token": self.token, "folders": self.place.folders(), "replaced": replaced})
    }

    fn of_json(json: &Value) -> Option<Self> {
        let item = |item: &Value| {
            let modified = |at: usize| item.get("modified")?.get(at)?.as_i64();
            let name = item.get("name")?.as_str()?.to_owned();
            Some(Item { name, size: item.get("size")?.as_u64()?, modified: (modified(0)?, modified(1)?) })
        };
        let folder = |at: usize| json.get("folders")?.get(at)?.as_str();
        Some(Self {
            token: json.get("token")?.as_str()?.to_owned(),
            place: Place::named(folder(0)?, folder(1)?, folder(2)?)?,
            replaced: json.get("replaced")?.as_array()?.iter().map(item).collect::<Option<_>>()?,
        })
    }
}

/// Takes a name out of the old folder.
fn empty(plan: &Plan, old: &Folder, new: &Folder, name: &OsStr) -> io::Result<()> {
    if let Some(item) = plan.replaced.iter().find(|item| *name == *item.name)
        && item.is_in(old)?
    {
        old.remove(name)?;
        reached(Point::OneRemoved);
        return Ok(());
    }
    match old.move_to(name, new) {
        // Its writer was quicker.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let (Some((here, written)), Some((there, before))) = (old.identity(name)?, new.identity(name)?)
            else {
                return Err(error);
            };
            if here == there || written <= before {
                return old.remove(name);
            }
            // It was put in the place of what had been linked.
            let name = name.to_str().ok_or(ErrorKind::InvalidData)?;
            old.rename(name, new, name)
        }
        result => result,
    }
}

/// Does what puts names into partitions while no folder is exchanged, and once more where a folder that had what is
/// to be named was exchanged before that.
pub(crate) fn beside(lake: &Path, mut put: impl FnMut() -> Result<()>) -> Result<()> {
    let mut tries = 0;
    loop {
        // Where there is nothing to lock yet, or no right to, what is put into an old folder is moved into the new one.
        let lock = File::open(lake.join(WORKSHOP).join(EXCHANGE)).ok();
        let lock = lock.filter(|lock| lock.lock_shared().is_ok());
        let result = put();
        drop(lock);
        match result {
            Err(error) if is_missing(&error) && tries < TRIES => tries += 1,
            result => return result,
        }
        recover(lake)?;
    }
}

/// Looks through partitions while no folder is exchanged: else what has just been joined might be found neither in the
/// old folder nor in the new one.
pub(crate) fn between<T>(lake: &Path, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let path = lake.join(WORKSHOP).join(EXCHANGE);
    loop {
        let lock = File::open(&path).ok();
        let is_first = lock.is_none();
        let _lock = lock.filter(|lock| lock.lock_shared().is_ok());
        let found = look()?;
        // Where there was nothing to lock, nothing was exchanged as long as there is none.
        if !(is_first && File::open(&path).is_ok()) {
            return Ok(found);
        }
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Ends an exchange that a crash cut short, unless one is going on; says whether there was one.
pub(crate) fn recover(lake: &Path) -> Result<bool> {
    if !lake.join(WORKSHOP).join(PLAN).exists() {
        return Ok(false);
    }
    match Workshop::take(lake)? {
        Some(workshop) => workshop.settle(),
        None => Ok(false),
    }
}

/// A file that holds rows of this input together with those of others.
pub(crate) fn joined(lake: &Path, input: &Input) -> Result<Option<PathBuf>> {
    let looking = || format!("looking through the lake {}", lake.display());
    let top = Folder::open(lake).with_context(looking)?;
    for place in tree::places(&top).with_context(looking)? {
        let Some(folder) = place.open(&top).with_context(looking)? else { continue };
        for name in folder.all_names().with_context(looking)? {
            let Some(name) = name.to_str().filter(|name| name.starts_with(JOINED) && tree::is_data(name))
            else {
                continue;
            };
            // A sensor may have a name that begins alike.
            if input.ordinal(name).is_some() {
                continue;
            }
            let path = lake.join(place.path()).join(name);
            let footer = match folder.read(name) {
                Ok(file) => Footer::read(&file).with_context(|| format!("reading {}", path.display()))?,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(anyhow!(error).context(format!("reading {}", path.display()))),
            };
            if footer.inputs.iter().any(|hash| hash == input.hash()) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Fails where rows of an input were joined with those of others: they cannot be told from those any more, and would
/// be there twice.
pub(crate) fn refuse_joined(lake: &Path, input: &Input) -> Result<()> {
    if let Some(path) = joined(lake, input)? {
        bail!(
            "rows of this input are in {}, which `spanlake compact` has made of several files: they cannot be \
             replaced, and `--if-exists append` would write them once more",
            path.display()
        );
    }
    Ok(())
}

/// `.compact` for the moments in which it holds files that readers must not find twice.
struct Closed<'w>(&'w Folder);

impl<'w> Closed<'w> {
    fn close(folder: &'w Folder) -> io::Result<Self> {
        folder.set_mode(CLOSED)?;
        Ok(Self(folder))
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        // Whoever takes it next opens it, too.
        let _ = self.0.set_mode(OPEN);
    }
}

impl Item {
    /// Whether a folder holds this very file.
    fn is_in(&self, folder: &Folder) -> io::Result<bool> {
        let found = folder.look(&*self.name)?;
        Ok(found.is_some_and(|entry| (entry.size, entry.modified) == (self.size, self.modified)))
    }
}

/// A file to lock, made for `owner` where it is missing.
fn lock_file(folder: &Folder, name: &str, owner: Owner) -> io::Result<File> {
    loop {
        match folder.read(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
        match folder.create_for(name, owner) {
            // Somebody else was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
}

fn mark(token: &str) -> String {
    format!("{MARK}{token}")
}

pub(crate) fn is_mark(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(MARK))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// Tells a test that a point has been reached.
pub(crate) fn reached(point: Point) {
    #[cfg(test)]
    points::reached(point);
    #[cfg(not(test))]
    let _ = point;
}

/// First letters of the names of files that hold rows of several inputs.
pub(crate) const JOINED: &str = "compact-";

const LOCK: &str = "lock";
const PLAN: &str = "plan";
const NEW_PLAN: &str = "plan.tmp";
const FOLDER: &str = "folder";
const MARK: &str = ".compact-";

/// For its owner alone.
const OPEN: Mode = Mode::RWXU;

/// The same, and nobody can list it.
const CLOSED: Mode = Mode::WUSR.union(Mode::XUSR);

#[cfg(test)]
pub(crate) mod points {
    //! What tests do at a point: each thread its own.

    use std::cell::RefCell;

    use super::Point;

    type Act = Box<dyn FnMut(Point)>;

    thread_local! {
        static ACT: RefCell<Option<Act>> = const { RefCell::new(None) };
    }

    /// Calls `act` at each point that this thread reaches while `run` runs.
    pub(crate) fn during<T>(act: impl FnMut(Point) + 'static, run: impl FnOnce() -> T) -> T {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                ACT.set(None);
            }
        }
        ACT.set(Some(Box::new(act)));
        let _reset = Reset;
        run()
    }

    pub(super) fn reached(point: Point) {
        // Taken out, so that what it does may reach points itself.
        let Some(mut act) = ACT.take() else { return };
        act(point);
        ACT.set(Some(act));
    }
}
