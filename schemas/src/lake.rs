//! What all who write into a lake must agree on: how its folders and files are made, and where exchanges of them are locked.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Key of a file's metadata: the hashes of the inputs that its rows are from, comma-joined.
pub const INPUTS_KEY: &str = "spanlake.inputs";

/// The folder in a lake in which files are joined.
pub const WORKSHOP: &str = ".compact";

/// The file in it that is locked while the folder of a month is exchanged for a new one; shared, by who puts a name into one.
pub const EXCHANGE: &str = "exchange";

/// Folders: all for the owner, reading for the group.
const FOLDER_MODE: u32 = 0o750;

/// Files: writing for the owner, reading for the group.
pub const FILE_MODE: u32 = 0o640;

/// Makes a folder and those above it that are missing; each is on disk before something is put into it.
///
/// # Errors
/// One of them cannot be made or synced, or something else has its name.
pub fn make_folders(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Ok(()) => {
            // Exact whatever the umask; the bit that hands the group on stays as inherited.
            let inherited = fs::metadata(folder)?.permissions().mode() & 0o7000;
            fs::set_permissions(folder, Permissions::from_mode(inherited | FOLDER_MODE))?;
            parent(folder).map_or(Ok(()), sync_folder)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(parent) = parent(folder) else { return Err(error) };
            make_folders(parent)?;
            make_folders(folder)
        }
        Err(error) => Err(error),
    }
}

/// Makes a new file for writing; an old one of this name is emptied.
///
/// # Errors
/// It cannot be made.
pub fn make_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    // Exact whatever the umask.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Makes the names in a folder as durable as the files.
///
/// # Errors
/// The disk does not take it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync folders; they order renames on their own.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// The same of a folder from which retention may have taken what was just put there: where it has gone, being empty, there
/// is nothing to make durable.
///
/// # Errors
/// The disk does not take it.
pub fn sync_published(folder: &Path) -> io::Result<()> {
    match sync_folder(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The folder above; that of a relative name is the working folder.
pub fn parent(path: &Path) -> Option<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".")),
        parent => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_have_the_modes_of_a_lake_and_one_that_went_need_not_be_synced() {
        let lake = tempfile::tempdir().unwrap();
        let folder = lake.path().join("dns/year=2026");
        make_folders(&folder).unwrap();
        make_folders(&folder).unwrap();
        let file = make_file(&folder.join("rows")).unwrap();
        let mode = |metadata: fs::Metadata| metadata.permissions().mode() & 0o777;
        assert_eq!(mode(fs::metadata(&folder).unwrap()), FOLDER_MODE);
        assert_eq!(mode(file.metadata().unwrap()), FILE_MODE);
        sync_published(&folder).unwrap();
        fs::remove_dir_all(lake.path()).unwrap();
        sync_published(&folder).unwrap();
        assert_eq!(sync_folder(&folder).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
