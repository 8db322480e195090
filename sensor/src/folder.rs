//! Folders held open: what is in them is reached by one name of our own making at a time, and never through a link.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::RenameFlags;
use rustix::fs::{self, AtFlags, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, Uid};
use rustix::io::Errno;
use rustix::path::Arg;

/// A folder.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

/// What a folder is like, but for what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nature {
    /// Which folder it is on its file system.
    pub(crate) number: u64,
    pub(crate) mode: Mode,
    pub(crate) owner: Owner,
    /// When something was last put into it or taken out: seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
}

/// User and group, by number.
pub(crate) type Owner = (u32, u32);

/// A regular file in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) size: u64,
    /// When it was last written or touched: seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
}

impl Folder {
    /// A folder that the user named, made with those above it where it is missing. Links on the way are the user's.
    pub(crate) fn named(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE.bits()).create(path)?;
        Ok(Self(fs::open(path, FOLDER | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A folder that the user named and that is there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, FOLDER | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A folder in this one; none where there is none of this name, or something else, as a link to one.
    pub(crate) fn folder(&self, name: &str) -> io::Result<Option<Self>> {
        match fs::openat(&self.0, name, FOLDER | OWN, Mode::empty()) {
            Ok(folder) => Ok(Some(Self(folder))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A folder in this one, made where it is missing.
    pub(crate) fn make(&self, name: &str) -> io::Result<Self> {
        if let Some(folder) = self.folder(name)? {
            return Ok(folder);
        }
        match fs::mkdirat(&self.0, name, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.folder(name)?.ok_or_else(|| Errno::NOTDIR.into())
    }

    /// A new file.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(fs::openat(&self.0, name, flags | OWN, FILE_MODE)?.into())
    }

    /// A file to read; that it is one has been looked at.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        Ok(fs::openat(&self.0, name, flags | OWN, Mode::empty())?.into())
    }

    /// A file to write behind its end.
    pub(crate) fn append(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK;
        Ok(fs::openat(&self.0, name, flags | OWN, Mode::empty())?.into())
    }

    /// A file to lock, made where it is missing.
    pub(crate) fn lock_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
        Ok(fs::openat(&self.0, name, flags | OWN, FILE_MODE)?.into())
    }

    /// A regular file; none where there is none, or something else of this name.
    pub(crate) fn look(&self, name: impl Arg) -> io::Result<Option<Entry>> {
        let found = none_if_missing(fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW))?;
        let found = found.filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Ok(found.map(|stat| Entry { size: stat.st_size.unsigned_abs(), modified: modified(&stat) }))
    }

    /// Which thing has this name, whatever it is, and when it was last written; none where there is none.
    pub(crate) fn identity(&self, name: &OsStr) -> io::Result<Option<(u64, (i64, i64))>> {
        let found = none_if_missing(fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW))?;
        Ok(found.map(|stat| (stat.st_ino, modified(&stat))))
    }

    /// What this folder is like.
    pub(crate) fn nature(&self) -> io::Result<Nature> {
        let stat = fs::fstat(&self.0)?;
        Ok(Nature {
            number: stat.st_ino,
            mode: Mode::from_raw_mode(stat.st_mode),
            owner: (stat.st_uid, stat.st_gid),
            modified: modified(&stat),
        })
    }

    /// Sets who may do what with this folder.
    pub(crate) fn set_mode(&self, mode: Mode) -> io::Result<()> {
        Ok(fs::fchmod(&self.0, mode)?)
    }

    /// Makes a new folder of this mode for `owner`.
    pub(crate) fn make_for(&self, name: &str, mode: Mode, owner: Owner) -> io::Result<Self> {
        fs::mkdirat(&self.0, name, FOLDER_MODE)?;
        let made = self.folder(name)?.ok_or(Errno::NOTDIR)?;
        give(&made.0, made.nature()?.owner, owner)?;
        made.set_mode(mode)?;
        Ok(made)
    }

    /// Makes a new file for `owner`, whose group may read it.
    pub(crate) fn create_for(&self, name: &str, owner: Owner) -> io::Result<File> {
        let file = self.create(name)?;
        let stat = fs::fstat(&file)?;
        give(&file, (stat.st_uid, stat.st_gid), owner)?;
        fs::fchmod(&file, SHARED_MODE)?;
        Ok(file)
    }

    /// Makes a file the youngest.
    pub(crate) fn touch(&self, name: &str) -> io::Result<()> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        Ok(fs::utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Removes a file; one that has gone is removed.
    pub(crate) fn remove(&self, name: impl Arg) -> io::Result<()> {
        none_if_missing(fs::unlinkat(&self.0, name, AtFlags::empty())).map(|_| ())
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        none_if_missing(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)).map(|_| ())
    }

    /// Moves a file to another folder of the same file system, in place of what has this name there.
    pub(crate) fn rename(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.0, name, &to.0, new)?)
    }

    /// Moves what has this name to another folder, where nothing may have it.
    pub(crate) fn move_to(&self, name: &OsStr, to: &Self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return Ok(fs::renameat_with(&self.0, name, &to.0, name, RenameFlags::NOREPLACE)?);
        #[cfg(not(target_os = "linux"))]
        return Err(Errno::NOSYS.into());
    }

    /// Gives what has this name the same name in another folder too.
    pub(crate) fn link(&self, name: &OsStr, to: &Self) -> io::Result<()> {
        Ok(fs::linkat(&self.0, name, &to.0, name, AtFlags::empty())?)
    }

    /// Exchanges two folders at once.
    pub(crate) fn exchange(&self, name: &str, with: &Self, other: &str) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return Ok(fs::renameat_with(&self.0, name, &with.0, other, RenameFlags::EXCHANGE)?);
        #[cfg(not(target_os = "linux"))]
        return Err(Errno::NOSYS.into());
    }

    /// Puts the names in it on disk for sure.
    pub(crate) fn sync_names(&self) -> io::Result<()> {
        match fs::fsync(&self.0) {
            // Some network file systems cannot sync folders; they order renames on their own.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every name in it, also those that are not UTF-8.
    pub(crate) fn all_names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Calls `each` with every name in it, in no order. Names that are not UTF-8 are none of ours.
    pub(crate) fn names(&self, mut each: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                each(name)?;
            }
        }
        Ok(())
    }

    /// Puts everything on its file system on disk: one wait instead of one for each file.
    pub(crate) fn sync(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        fs::syncfs(&self.0)?;
        #[cfg(not(target_os = "linux"))]
        fs::sync();
        Ok(())
    }
}

fn modified(stat: &fs::Stat) -> (i64, i64) {
    (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default())
}

/// Makes what is `is`'s `owner`'s. Without the right to do so that fails.
fn give(what: impl AsFd, is: Owner, owner: Owner) -> io::Result<()> {
    if is == owner {
        return Ok(());
    }
    Ok(fs::fchown(what, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)))?)
}

fn none_if_missing<T>(result: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// For what lies in a folder of ours.
const OWN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// For the owner alone: what is in them may be dangerous, or private.
const FOLDER_MODE: Mode = Mode::RWXU;

/// Files of the lake: writing for the owner, reading for the group.
const SHARED_MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// No bit for execution, ever.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
