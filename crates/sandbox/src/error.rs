//! Errors: why no code could be run. What goes wrong in the code is an [`Execution`](crate::Execution).

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A sandbox without a worker.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error(
        "the sandbox has no worker: run `cargo install glassbox-sandbox` and set GLASSBOX_SANDBOX to the binary's path, \
         or turn on the feature `sandbox-inline` and call `glassbox::sandbox::init()` first in `main`"
    )]
    Missing,
    #[error("the sandbox's worker {} could not be started: set GLASSBOX_SANDBOX to the path of a `glassbox-sandbox` that runs here", .0.display())]
    Start(PathBuf, #[source] io::Error),
    #[error(
        "the sandbox's worker {} speaks version {found} of the protocol, not {wanted}: run `cargo install glassbox-sandbox` again", path.display()
    )]
    Version { path: PathBuf, found: u32, wanted: u32 },
    #[error(
        "the sandbox needs a Tokio runtime: call it within `#[tokio::main]`, or `Runtime::block_on`"
    )]
    NoRuntime,
    #[error(
        "all {0} workers of the sandbox are busy: allow more with `Workers::new(..)`, or run fewer at once"
    )]
    Busy(usize),
}

impl Error {
    /// Returns whether there is no worker to be found.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self.0, Kind::Missing)
    }

    /// Returns whether all workers were busy, for as long as was waited.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self.0, Kind::Busy(_))
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
