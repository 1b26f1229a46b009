//! Where the worker is: named, beside the program, or the program itself.

use crate::config;
use crate::protocol::WORKER_ARGUMENT;
use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this program can be its own worker: [`init`](crate::init) was called. Without the call, running the program
/// again would do all that it does once more.
static OWN_WORKER: AtomicBool = AtomicBool::new(false);

/// How a worker is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) argument: Option<&'static str>,
}

impl From<PathBuf> for Program {
    fn from(path: PathBuf) -> Self {
        Self { path, argument: None }
    }
}

/// Says that this program can be its own worker.
#[cfg(feature = "interpreter")]
pub(crate) fn offer_own_worker() {
    OWN_WORKER.store(true, Ordering::Relaxed);
}

/// Finds the worker: the environment's, the one beside the program, the program itself.
pub(crate) fn worker() -> Option<Program> {
    if let Some(path) = config::worker() {
        return Some(path.into());
    }
    let own = std::env::current_exe().ok()?;
    if let Some(path) = beside(&own) {
        return Some(path.into());
    }
    OWN_WORKER.load(Ordering::Relaxed).then(|| {
        // On Linux this is the very file that runs, though a build may have replaced it since.
        let running = Path::new("/proc/self/exe");
        let path = if running.exists() { running.to_owned() } else { own };
        Program { path, argument: Some(WORKER_ARGUMENT) }
    })
}

/// Looks in the program's folder; for cargo's tests and examples, which have a folder of their own, in the one above.
fn beside(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let is_cargos = folder.ends_with("deps") || folder.ends_with("examples");
    let above = is_cargos.then(|| folder.parent()).flatten();
    let name = format!("glassbox-sandbox{EXE_SUFFIX}");
    [Some(folder), above]
        .into_iter()
        .flatten()
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
}
