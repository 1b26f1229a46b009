//! Runs Python which a model wrote, in a process that can do no harm.
//!
//! The host starts a worker process and speaks with it over its stdin and stdout. The worker interprets the code with
//! [Monty](https://github.com/pydantic/monty), which has no files, network or environment to give away; around it are
//! limits on memory, time, output, recursion and calls, the kernel's own limits, and a host that kills what does not
//! keep to them. `docs/adr/0020-code-runs-in-a-worker-process.md` tells why.
//!
//! ```no_run
//! use glassbox_sandbox::{Limits, NoTools, Sandbox};
//!
//! # async fn example() -> Result<(), glassbox_sandbox::Error> {
//! let mut sandbox = Sandbox::start(Limits::default()).await?;
//! let execution = sandbox.run("print('hello')\n6 * 7", &NoTools).await?;
//! assert_eq!((execution.stdout.as_str(), execution.value), ("hello\n", Some(42.into())));
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it. `worker` and `init` come with the feature `interpreter`.

mod limits;
mod tools;
mod protocol;
#[cfg(feature = "interpreter")]
pub mod worker;
mod error;
mod config;
mod locate;
#[cfg(feature = "interpreter")]
mod init;
mod workers;
mod process;
mod host;

pub use error::Error;
pub use host::{Execution, Sandbox};
#[cfg(feature = "interpreter")]
pub use init::init;
pub use limits::{Limit, Limits};
pub use protocol::MemoryGuard;
pub use tools::{Answer, Call, Exception, NoTools, Tools};
pub use workers::Workers;
