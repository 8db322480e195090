//! Folders held open: what is in them is reached by one name of our own making at a time, and never through a link.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

/// A folder.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

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
    pub(crate) fn look(&self, name: &str) -> io::Result<Option<Entry>> {
        let found = none_if_missing(fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW))?;
        let found = found.filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Ok(found.map(|stat| Entry {
            size: stat.st_size.unsigned_abs(),
            modified: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()),
        }))
    }

    /// Makes a file the youngest.
    pub(crate) fn touch(&self, name: &str) -> io::Result<()> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        Ok(fs::utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Removes a file; one that has gone is removed.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
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

/// No bit for execution, ever.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
