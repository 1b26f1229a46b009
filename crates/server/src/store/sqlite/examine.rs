//! A look at a store that may be in use: nothing is written, and nobody is kept from it.

use super::{beside, schema, store_error};
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, TryLockError};
use std::path::Path;

/// What there is to say of a store from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The version of its tables. An older one is brought to the present when a server opens it.
    pub version: i64,
    /// A server has it open.
    pub is_in_use: bool,
    /// What it takes of the disk, with what is not yet in its main file.
    pub bytes: u64,
}

/// Looks at a store; `None` if there is none.
///
/// # Errors
///
/// If the file is no store, is damaged, of a later version, or cannot be read.
pub fn examine(path: &Path) -> Result<Option<Examined>, StoreError> {
    let size = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len());
    let Ok(bytes) = size(path) else { return Ok(None) };
    let shown = path.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags);
    let connection = connection.map_err(|error| store_error(&error, &shown))?;
    let version = schema::version(&connection, &shown)?;
    let is_locked = |lock: File| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock));
    Ok(Some(Examined {
        version,
        is_in_use: File::open(beside(path, ".lock")).is_ok_and(is_locked),
        bytes: bytes + size(&beside(path, "-wal")).unwrap_or_default(),
    }))
}
