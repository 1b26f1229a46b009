//! The environment: `GLASSBOX_SANDBOX`, and nothing else.

#![allow(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use std::path::PathBuf;

/// Names the worker's executable, where it is not beside the program.
pub(crate) const WORKER: &str = "GLASSBOX_SANDBOX";

/// Returns the executable that the environment names.
pub(crate) fn worker() -> Option<PathBuf> {
    std::env::var_os(WORKER).filter(|path| !path.is_empty()).map(PathBuf::from)
}
