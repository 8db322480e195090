//! Folders among the inputs: every capture below them, known by its content, in a fixed order.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Error, input::Input};

/// Puts in place of each folder the captures below it, sorted by path; other paths stay as and where they are.
/// Links are followed, a folder that was visited before is not entered again; files that are no captures, empty
/// files, devices and pipes in a folder are passed over. A folder without a capture is an error, and so is a file
/// in it that cannot be read: it might be one.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut captures = Vec::new();
    for path in paths {
        if path == Path::new("-") || !path.is_dir() {
            captures.push(path.clone());
            continue;
        }
        let mut folder = Folder::default();
        folder.visit(path)?;
        if folder.captures.is_empty() {
            return Err(Error::NoCaptures { path: path.clone(), files: folder.files });
        }
        folder.captures.sort();
        captures.append(&mut folder.captures);
    }
    Ok(captures)
}

#[derive(Default)]
struct Folder {
    captures: Vec<PathBuf>,
    /// Files looked at.
    files: usize,
    visited: HashSet<PathBuf>,
}

impl Folder {
    /// Visits `root` and all below; with a list of its own, as folders may be nested deeper than the stack is.
    fn visit(&mut self, root: &Path) -> Result<(), Error> {
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let unreadable = |error| Error::Unreadable { path: folder.clone(), error };
            if !self.visited.insert(folder.canonicalize().map_err(unreadable)?) {
                continue;
            }
            for entry in fs::read_dir(&folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                let metadata = match fs::metadata(&path) {
                    // A link that leads nowhere, or a file removed in between.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(Error::Unreadable { path, error }),
                    Ok(metadata) => metadata,
                };
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    self.files += 1;
                    match Input::open(&path) {
                        Ok(_) => self.captures.push(path),
                        Err(error @ Error::Unreadable { .. }) => return Err(error),
                        Err(_) => {}
                    }
                }
            }
        }
        Ok(())
    }
}
