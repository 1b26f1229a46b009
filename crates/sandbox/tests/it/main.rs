//! The sandbox with real worker processes.

mod escapes;
mod table;
mod sessions;
#[cfg(target_os = "linux")]
mod processes;
mod garbage;
mod code_act;

use glassbox_sandbox::{Limits, Sandbox};

/// Makes a sandbox on the worker that was built with these tests.
fn sandbox(limits: Limits) -> Sandbox {
    Sandbox::new(limits).with_worker(env!("CARGO_BIN_EXE_glassbox-sandbox"))
}
