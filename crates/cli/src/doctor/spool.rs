//! The folder in which spans wait for a destination that is down, as it is now.

use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What waits on disk.
#[derive(Debug, Serialize)]
pub(super) struct Spool {
    pub(super) folder: PathBuf,
    /// Files with spans, of programs that run and of programs that have ended.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Why nothing can be kept there.
    pub(super) problem: Option<String>,
}

impl Spool {
    /// Looks at a folder, without making it.
    pub(super) fn look(folder: &Path) -> Self {
        let mut spool = Self { folder: folder.to_owned(), files: 0, bytes: 0, problem: None };
        match spool.count() {
            // It is made when the first span is to be kept.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => spool.problem = Some(error.to_string()),
            Ok(()) => spool.problem = write(folder).err().map(|error| error.to_string()),
        }
        spool
    }

    fn count(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let metadata = entry?.metadata()?;
            if metadata.is_file() {
                self.files += 1;
                self.bytes += metadata.len();
            }
        }
        Ok(())
    }
}

/// Writes a file and removes it.
fn write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(path)
}
