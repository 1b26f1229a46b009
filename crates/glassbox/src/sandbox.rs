//! The sandbox in which code that a model wrote is run: `glassbox-sandbox`, as [`CodeAct`](crate::CodeAct) uses it.
//!
//! The code runs in a process of its own. Either that is the binary `glassbox-sandbox`, beside the program or named by
//! `GLASSBOX_SANDBOX`; or, with the feature `sandbox-inline`, it is the program itself, which calls `init` first in
//! `main`.

#[cfg(feature = "sandbox-inline")]
pub use glassbox_sandbox::init;
pub use glassbox_sandbox::{
    Answer, Call, Error, Exception, Execution, Limit, Limits, MemoryGuard, NoTools, Sandbox, Tools,
    Workers,
};
