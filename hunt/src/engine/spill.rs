//! Where queries put what is more than they may hold in memory: a folder of this process, among those for temporary files. What a
//! process left that was killed, the next one removes.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What the names begin with.
const PREFIX: &str = "spanlake-hunt-";

/// What the name of the file ends with that is locked for as long as its folder is used.
const LOCK: &str = ".lock";

/// A folder that is removed with its owner.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    lock: PathBuf,
    _locked: File,
}

impl Spill {
    /// A folder below `temporary`, from which those are removed that nobody uses any more.
    ///
    /// # Errors
    /// None can be made there.
    pub(super) fn below(temporary: &Path) -> io::Result<Self> {
        remove_abandoned(temporary)?;
        for number in 0_u32.. {
            let name = format!("{PREFIX}{}-{number}", std::process::id());
            let (folder, lock) = (temporary.join(&name), temporary.join(name + LOCK));
            let locked = match File::create_new(&lock) {
                Ok(locked) => locked,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Else it was taken for abandoned, just before.
            if locked.try_lock().is_err() {
                continue;
            }
            // For whoever made it alone: rows of a lake are not for everyone.
            DirBuilder::new().mode(0o700).create(&folder)?;
            return Ok(Self { folder, lock, _locked: locked });
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next process.
        if fs::remove_dir_all(&self.folder).is_ok() {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// Removes the folders whose owners are gone. Those of other users stay.
fn remove_abandoned(temporary: &Path) -> io::Result<()> {
    for entry in fs::read_dir(temporary)?.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(LOCK)) else { continue };
        if !name.starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        match fs::remove_dir_all(temporary.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {}
            _ => {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_goes_with_its_owner_and_what_a_killed_one_left_with_the_next() {
        let temporary = tempfile::tempdir().unwrap();
        let temporary = temporary.path();
        fs::write(temporary.join("another.lock"), "").unwrap();
        fs::create_dir(temporary.join("spanlake-hunt-1-0")).unwrap();
        fs::write(temporary.join("spanlake-hunt-1-0/rows"), "many").unwrap();
        fs::write(temporary.join("spanlake-hunt-1-0.lock"), "").unwrap();
        let first = Spill::below(temporary).unwrap();
        let second = Spill::below(temporary).unwrap();
        assert_ne!(first.folder(), second.folder());
        fs::write(first.folder().join("rows"), "some").unwrap();
        assert_eq!(names(temporary).len(), 5, "{:?}", names(temporary));
        drop(second);
        assert!(first.folder().join("rows").exists());
        drop(first);
        assert_eq!(names(temporary), ["another.lock"]);
    }
}
